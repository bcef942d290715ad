"""Reads a folder of raft snapshots by what each says of itself.

A snapshot of Vault or OpenBao is a gzipped tar: `meta.json` with raft's index and term,
`state.bin`, and `SHA256SUMS` of both.
"""

import hashlib
import json
import tarfile
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from vault.adapters.backup_files import BackupUnreadable, Reading, SumsMismatch, entries
from vault.domain.backups import Copy

_SUMMED: Final = frozenset({"meta.json", "state.bin"})
_LARGEST_LIST: Final = 64 << 10
_CHUNK: Final = 1 << 20


def snapshots(folder: Path, reading: Reading) -> list[Copy]:
    """Every snapshot in the folder, each compared with its own sums.

    Raises NoBackupFolder, BackupUnreadable, SumsMismatch.
    """
    return [
        _snapshot(path, label, began, reading)
        if is_finished
        else Copy(label=label, began_at=began, expires_at=began + reading.keep)
        for label, began, path, is_finished in entries(folder, ".snap")
    ]


def _snapshot(path: Path, label: str, began: datetime, reading: Reading) -> Copy:
    try:
        sums, list_of_sums, ended = _read(path)
    except (OSError, tarfile.TarError, EOFError, zlib.error, ValueError, KeyError, TypeError):
        raise BackupUnreadable(backup=label) from None
    said = list_of_sums.decode(errors="replace").split()
    if dict(zip(said[1::2], said[::2], strict=False)) != sums:
        raise SumsMismatch(backup=label)
    return Copy(
        label=label,
        began_at=began,
        ended_at=max(began, ended),
        expires_at=began + reading.keep,
        evidence=hashlib.sha256(list_of_sums).hexdigest(),
    )


def _read(path: Path) -> tuple[dict[str, str], bytes, datetime]:
    """The sums as they are, the list of sums, and when the snapshot was written."""
    sums: dict[str, str] = {}
    list_of_sums, ended = b"", 0.0
    with tarfile.open(path, "r|gz") as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is None:
                raise ValueError("a member is no file")
            if member.name == "SHA256SUMS":
                list_of_sums = file.read(_LARGEST_LIST)
            elif member.name in _SUMMED:
                found = hashlib.sha256()
                content = b""
                while chunk := file.read(_CHUNK):
                    found.update(chunk)
                    content = chunk if member.name == "meta.json" else b""
                sums[member.name] = found.hexdigest()
                ended = max(ended, member.mtime)
                if member.name == "meta.json":
                    _require_meta(content)
    if set(sums) != _SUMMED or not list_of_sums:
        raise ValueError("a member is missing")
    return sums, list_of_sums, datetime.fromtimestamp(ended, tz=UTC)


def _require_meta(content: bytes) -> None:
    """Raises ValueError, KeyError or TypeError unless raft's place in its log is named."""
    meta = json.loads(content)
    if meta["Index"] < 1 or meta["Term"] < 1:
        raise ValueError("no place in the log")
