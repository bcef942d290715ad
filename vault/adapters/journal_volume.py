"""One directory that holds a copy of the journal: segment files of one line per entry.

Knows files, not policy: which copy is right is decided in `directory_journal`.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vault.domain.journal import Entry, InvalidEntryError, check_follows, parse

_SUFFIX: Final = ".jsonl"
_RESERVE: Final = "reserve"


@dataclass(frozen=True, slots=True)
class Tail:
    """What a scan found: the last entry, its segment, its length there, torn bytes after it."""

    last: Entry | None
    segment: Path | None
    length: int
    torn: bytes


def segments(directory: Path) -> list[Path]:
    """Segment files in order. Raises OSError."""
    return sorted(path for path in directory.iterdir() if path.suffix == _SUFFIX)


def scan(directory: Path) -> Iterator[tuple[Path, bytes]]:
    """Lines in order with their segment; only the very last may lack its line feed."""
    for path in segments(directory):
        with path.open("rb") as file:
            for line in file:
                yield path, line


def read(directory: Path) -> Iterator[Entry]:
    """Entries in order, each checked against the one before; a torn last line ends the reading.

    Raises InvalidEntryError at the first wrong entry (its text says which), OSError.
    """
    before: Entry | None = None
    pending: bytes | None = None
    for _, line in scan(directory):
        if pending is not None:
            raise InvalidEntryError(f"entry {_next(before)}: the line is cut short")
        if not line.endswith(b"\n"):
            pending = line
            continue
        before = _checked(line, before)
        yield before


def tail(directory: Path) -> Tail:
    """Walk the whole copy and say where it ends. Raises InvalidEntryError, OSError."""
    last: Entry | None = None
    segment: Path | None = None
    length, torn = 0, b""
    for path, line in scan(directory):
        if torn:
            raise InvalidEntryError(f"entry {_next(last)}: the line is cut short")
        if path != segment:
            segment, length = path, 0
        if line.endswith(b"\n"):
            last = _checked(line, last)
            length += len(line)
        else:
            torn = line
    if segment is None and (paths := segments(directory)):
        segment = paths[-1]
    return Tail(last=last, segment=segment, length=length, torn=torn)


def _next(before: Entry | None) -> int:
    return 0 if before is None else before.sequence + 1


def _checked(line: bytes, before: Entry | None) -> Entry:
    try:
        entry = parse(line)
        check_follows(entry, before)
    except InvalidEntryError as error:
        raise InvalidEntryError(f"entry {_next(before)}: {error}") from None
    return entry


class Volume:
    """A directory opened for writing under an exclusive lock. Every method may raise OSError."""

    def __init__(self, directory: Path, *, segment_bytes: int) -> None:
        self.directory = directory
        self._segment_bytes = segment_bytes
        self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise
        self._segment: Path | None = None
        self._length = 0

    def close(self) -> None:
        os.close(self._lock)

    def adopt(self, found: Tail) -> None:
        """Continue after `found`."""
        self._segment, self._length = found.segment, found.length

    def save_aside(self, torn: bytes, *, sequence: int) -> None:
        """Keep the bytes of a torn line for whoever looks into it; never read again."""
        name = next(
            name
            for number in range(1_000_000)
            if not (name := self.directory / f"torn-{sequence:020d}-{number}").exists()
        )
        self._write(name, torn, os.O_CREAT | os.O_EXCL, at=0)
        self._sync_directory()

    def cut(self) -> None:
        """Remove what stands after the last adopted or appended entry, durably."""
        if self._segment is None or not self._segment.exists():
            return
        file = os.open(self._segment, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(file, self._length)
            os.fsync(file)
        finally:
            os.close(file)

    def append(self, *entries: Entry) -> None:
        """Write entries at the end and return once they are on stable storage."""
        line = b"".join(entry.line() for entry in entries)
        if self._segment is None or self._length >= self._segment_bytes:
            self._segment = self.directory / f"{entries[0].sequence:020d}{_SUFFIX}"
            self._length = 0
        is_new = self._length == 0
        self._write(self._segment, line, os.O_CREAT, at=self._length)
        if is_new:
            self._sync_directory()
        self._length += len(line)

    def position(self) -> tuple[Path | None, int]:
        """Where the next entry goes; see `rewind`."""
        return self._segment, self._length

    def rewind(self, position: tuple[Path | None, int]) -> None:
        """Undo an append that is not acknowledged: nothing of it stays."""
        if self._segment is not None and self._segment != position[0]:
            self._segment.unlink(missing_ok=True)
            self._sync_directory()
        self._segment, self._length = position
        self.cut()

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

    def _sync_directory(self) -> None:
        file = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)
