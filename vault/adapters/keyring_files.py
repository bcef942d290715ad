"""Files of the keyring: secrets written once, whole or not at all, and destroyed in place."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SECRET_BYTES: Final = 32
_BLANK: Final = bytes(SECRET_BYTES)


def put_once(path: Path, content: bytes) -> bool:
    """Write `content` unless there is a file; True when it was written.

    The file appears complete or not at all, whatever dies in between.
    """
    _make_folder(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    _write(draft, content, sync=False)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def get(path: Path) -> bytes | None:
    """The content; None when there is no file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def destroy(path: Path, tombstone: bytes) -> None:
    """Overwrite the secret in place, then put `tombstone` there; on disk when this returns."""
    if not is_secret(get(path)):
        return
    with path.open("r+b") as file:
        file.write(_BLANK)
        file.flush()
        os.fsync(file.fileno())
    replace(path, tombstone)


def replace(path: Path, content: bytes) -> None:
    """Put `content` in the place of what is there; on disk when this returns."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    _write(draft, content, sync=True)
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def is_secret(content: bytes | None) -> bool:
    """Whether a file's content is a living secret.

    It is none when it is a tombstone, or blank from a `destroy` that was cut short.
    """
    return content is not None and len(content) == SECRET_BYTES and content != _BLANK


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock against other processes."""
    _make_folder(folder)
    with (folder / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, private: `mkdir(parents=True)` would open those above."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True, mode=0o700)


def _write(path: Path, content: bytes, *, sync: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        if sync:
            file.flush()
            os.fsync(file.fileno())
