"""One directory that holds a copy of the journal, opened for writing under an exclusive lock.

Knows files, not policy: which copy is right is decided in `journal_opening`.
"""

import errno
import fcntl
import os
from pathlib import Path
from typing import Final

from vault.adapters.journal_copy import name_of

_LOCK: Final = "lock"
_RESERVE: Final = "reserve"
#: Where a copy ends: its last segment and the bytes in it.
Position = tuple[Path | None, int]


class VolumeChangedError(OSError):
    """The directory does not hold what this process wrote: exchanged, gone or rolled back."""


class Volume:
    """See above. Every method may raise OSError; none but `check` looks at what is there."""

    def __init__(self, directory: Path, *, segment_bytes: int) -> None:
        self.directory = directory
        self._segment_bytes = segment_bytes
        self._lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise
        self._segment: Path | None = None
        self._length = 0

    def close(self) -> None:
        os.close(self._lock)

    def adopt(self, position: Position) -> None:
        """Continue there."""
        self._segment, self._length = position

    def check(self, last_line: bytes) -> None:
        """Raise OSError unless the directory is the one locked and ends with `last_line`.

        A few system calls; finds a volume that was exchanged, unmounted or put back under a
        running process, and an end that was overwritten.
        """
        here, locked = (self.directory / _LOCK).stat(), os.fstat(self._lock)
        if (here.st_dev, here.st_ino) != (locked.st_dev, locked.st_ino) or self._segment is None:
            raise VolumeChangedError
        file = os.open(self._segment, os.O_RDONLY | os.O_CLOEXEC)
        try:
            end = os.pread(file, len(last_line) + 1, max(0, self._length - len(last_line)))
        finally:
            os.close(file)
        if end != last_line:
            raise VolumeChangedError

    def save_aside(self, torn: bytes, *, sequence: int) -> None:
        """Keep bytes that are about to be cut for whoever looks into it; never read again."""
        name = next(
            name
            for number in range(1_000_000)
            if not (name := self.directory / f"torn-{sequence:020d}-{number}").exists()
        )
        self._write(name, torn, os.O_CREAT | os.O_EXCL, at=0)
        self.sync()

    def cut(self) -> None:
        """Remove what stands after the position, durably."""
        if self._segment is None or (not self._length and not self._segment.exists()):
            return
        file = os.open(self._segment, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if os.fstat(file).st_size < self._length:
                raise VolumeChangedError
            os.ftruncate(file, self._length)
            os.fsync(file)
        finally:
            os.close(file)

    def append(self, lines: bytes, *, sequence: int) -> None:
        """Write lines, of which `sequence` is the first, and return once they are durable."""
        if self._segment is None or self._length >= self._segment_bytes:
            self._segment = self.directory / name_of(sequence)
            self._length = 0
        is_new = self._length == 0
        self._write(self._segment, lines, os.O_CREAT, at=self._length)
        if is_new:
            self.sync()
        self._length += len(lines)

    def position(self) -> Position:
        """Where the next entry goes; see `rewind`."""
        return self._segment, self._length

    def rewind(self, position: Position) -> None:
        """Undo an append that is not acknowledged: nothing of it stays."""
        if self._segment is not None and self._segment != position[0]:
            self._segment.unlink(missing_ok=True)
            self.sync()
        self._segment, self._length = position
        self.cut()

    def put(self, name: str, content: bytes) -> None:
        """Write a whole file that is there entirely or not at all, durably."""
        half = self.directory / f"{name}.half"
        self._write(half, content, os.O_CREAT | os.O_TRUNC, at=0)
        half.rename(self.directory / name)
        self.sync()

    def remove(self, path: Path) -> None:
        """Remove a file; durable after `sync`."""
        path.unlink(missing_ok=True)

    def reserve(self, size: int) -> bool:
        """Hold `size` bytes back for the day the disk is full; False if there is no room."""
        path = self.directory / _RESERVE
        if path.exists() and path.stat().st_size >= size:
            return True
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, size)
        except OSError as error:
            path.unlink(missing_ok=True)
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            return False
        finally:
            os.close(file)
        return True

    def release_reserve(self) -> bool:
        """Give the reserved space free; False if there was none."""
        path = self.directory / _RESERVE
        if not path.exists():
            return False
        path.unlink()
        return True

    def sync(self) -> None:
        """Make names in the directory durable."""
        file = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)

    def _write(self, path: Path, content: bytes, flags: int, *, at: int) -> None:
        file = os.open(path, os.O_WRONLY | os.O_CLOEXEC | flags, 0o600)
        try:
            os.lseek(file, at, os.SEEK_SET)
            view = memoryview(content)
            while view:
                view = view[os.write(file, view) :]
            os.fsync(file)
        finally:
            os.close(file)
