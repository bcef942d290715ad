"""Small volumes of their own: filled, taken away, put back and made read-only by tests."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


class SmallVolume:
    """A file system of a fixed size in memory, mounted on a directory."""

    def __init__(self, path: Path, *, size: str) -> None:
        self.path, self._size = path, size
        self._kept = path.with_name(f".{path.name}-kept")

    def mount(self) -> None:
        """Raises CalledProcessError where this process may not mount."""
        self._kept.mkdir()
        self.path.mkdir(exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={self._size}", "none", str(self._kept))
        self.put_back()

    def take_away(self) -> None:
        """An empty directory is left where the volume was, as after a failed mount."""
        _run("umount", "-l", str(self.path))

    def put_back(self) -> None:
        """Mount it again, with what was on it."""
        _run("mount", "--bind", str(self._kept), str(self.path))

    def make_read_only(self) -> None:
        """As the kernel does after an error of the disk, under whoever has files of it open."""
        self.take_away()
        self.put_back()
        _run("mount", "-o", "remount,ro,bind", str(self.path))

    def make_writable(self) -> None:
        self.take_away()
        self.put_back()

    def fill(self) -> None:
        """Until nothing more can be written."""
        with suppress(OSError), (self.path / "ballast").open("ab", buffering=0) as file:
            os.posix_fallocate(file.fileno(), 0, _free(self.path))
        with suppress(OSError), (self.path / "ballast").open("ab", buffering=0) as file:
            while True:
                file.write(bytes(512))

    def make_room(self) -> None:
        (self.path / "ballast").unlink()

    def remove(self) -> None:
        for path in (self.path, self._kept):
            subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True)


@contextmanager
def small_volume(path: Path, *, size: str) -> Iterator[SmallVolume]:
    """Mounted for the length of the block.

    Skips the test where this process may not mount, or fails it with LETHE_TEST_REQUIRE.
    """
    volume = SmallVolume(path, size=size)
    try:
        volume.mount()
    except (OSError, subprocess.CalledProcessError):
        if os.environ.get("LETHE_TEST_REQUIRE"):
            pytest.fail("this test mounts a small volume, which needs root")
        pytest.skip("only root can mount a small volume")
    try:
        yield volume
    finally:
        volume.remove()


def _free(path: Path) -> int:
    found = os.statvfs(path)
    return max(1, found.f_bavail * found.f_frsize)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
