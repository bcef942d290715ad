"""Reads folders of PostgreSQL base backups and archived WAL by what they say of themselves.

A base backup is what `pg_basebackup --format=plain` writes: its `backup_manifest` lists every file
with its sum and ends with a sum of its own, `global/pg_control` begins with the system identifier
of the server. Every archived segment repeats that identifier in its first page.
"""

import hashlib
import json
import re
import shutil
import struct
import subprocess
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from vault.adapters.backup_files import (
    BackupUnreadable,
    ForeignBackup,
    Reading,
    SumsMismatch,
    entries,
    paths,
    written_at,
)
from vault.domain.backups import Copy

_SEGMENT: Final = re.compile(r"[0-9A-F]{24}(\.partial)?(\.tmp)?")
_BESIDE: Final = re.compile(
    r"[0-9A-F]{8}\.history(\.tmp)?|[0-9A-F]{24}\.[0-9A-F]{8}\.backup(\.tmp)?"
)
_OWN_SUM: Final = b'"Manifest-Checksum"'
_LONGEST_CHECK: Final = 4 * 3600
#: Where the first page of a segment has the system identifier: after the short page header.
_SYSTEM_IDENTIFIER_AT: Final = 24


def base_backups(folder: Path, reading: Reading) -> list[Copy]:
    """Every base backup in the folder; each that is new is compared with its own manifest.

    Raises NoBackupFolder, BackupUnreadable, SumsMismatch, ForeignBackup.
    """
    return [
        _base_backup(path, label, began, reading)
        if is_finished
        else Copy(label=label, began_at=began, expires_at=began + reading.keep)
        for label, began, path, is_finished in entries(folder, "")
    ]


def _base_backup(path: Path, label: str, began: datetime, reading: Reading) -> Copy:
    manifest = path / "backup_manifest"
    try:
        content = manifest.read_bytes()
        listed: dict[str, Any] = json.loads(content)
        own_sum = str(listed["Manifest-Checksum"])
        (identifier,) = struct.unpack("<Q", (path / "global" / "pg_control").read_bytes()[:8])
    except (OSError, ValueError, KeyError, struct.error):
        raise BackupUnreadable(backup=label) from None
    if hashlib.sha256(content[: content.rfind(_OWN_SUM)]).hexdigest() != own_sum:
        raise SumsMismatch(backup=label)
    named = {str(identifier), str(listed.get("System-Identifier", identifier))}
    if named != {reading.cluster}:
        raise ForeignBackup(backup=label)
    if reading.is_new(label, own_sum):
        _verify(path, label, listed)
    ended = max(began, written_at(manifest))
    expires = began + reading.keep
    return Copy(label=label, began_at=began, ended_at=ended, expires_at=expires, evidence=own_sum)


def _verify(path: Path, label: str, listed: dict[str, Any]) -> None:
    """Compare every file with the manifest: by PostgreSQL's own tool where it is at hand."""
    tool = shutil.which("pg_verifybackup")
    if tool is None:
        for one in listed["Files"]:
            _verify_file(path, label, one)
        return
    done = subprocess.run(
        [tool, "--no-parse-wal", "--quiet", "--exit-on-error", str(path)],
        capture_output=True, check=False, timeout=_LONGEST_CHECK,
    )  # fmt: skip
    if done.returncode != 0:
        raise SumsMismatch(backup=label)


def _verify_file(path: Path, label: str, one: dict[str, Any]) -> None:
    """Raises BackupUnreadable where the sums are of a kind that only PostgreSQL's tool checks."""
    if one.get("Checksum-Algorithm") != "SHA256":
        raise BackupUnreadable("pg_verifybackup is needed to check this backup.", backup=label)
    try:
        with (path / one["Path"]).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, KeyError):
        raise SumsMismatch(backup=label) from None
    if found != one["Checksum"]:
        raise SumsMismatch(backup=label)


def wal_archive(folder: Path, reading: Reading) -> list[Copy]:
    """The archived WAL, by the day that it was archived on.

    A segment holds changes since the one before it was closed. Raises as `base_backups`.
    """
    segments = [path for path in paths(folder) if not _BESIDE.fullmatch(path.name)]
    days: dict[str, list[tuple[datetime, Path]]] = defaultdict(list)
    for path in segments:
        if not _SEGMENT.fullmatch(path.name):
            raise BackupUnreadable(backup=path.name[:60])
        _require_ours(path, reading)
        at = written_at(path)
        days[f"wal-{at:%Y%m%d}"].append((at, path))
    copies: list[Copy] = []
    for label, found in sorted(days.items()):
        copies.append(_day(label, sorted(found), copies[-1].ended_at if copies else None, reading))
    return copies


def _day(
    label: str, found: list[tuple[datetime, Path]], before: datetime | None, reading: Reading
) -> Copy:
    first, last = found[0][0], found[-1][0]
    began = before or first - timedelta(days=1)
    known = reading.known.get(label)
    names = "\n".join(f"{path.name} {path.stat().st_size}" for _at, path in found)
    return Copy(
        label=label,
        began_at=min(began, known.began_at) if known else began,
        ended_at=last,
        expires_at=last + reading.keep,
        evidence=hashlib.sha256(names.encode()).hexdigest(),
    )


def _require_ours(path: Path, reading: Reading) -> None:
    with path.open("rb") as file:
        page = file.read(_SYSTEM_IDENTIFIER_AT + 8)
    if len(page) < _SYSTEM_IDENTIFIER_AT + 8:
        if path.name.endswith(".tmp"):
            return
        raise BackupUnreadable(backup=path.name)
    (identifier,) = struct.unpack_from("<Q", page, _SYSTEM_IDENTIFIER_AT)
    if str(identifier) != reading.cluster:
        raise ForeignBackup(backup=path.name)
