"""Folders as backup jobs fill them, small enough to write in a test."""

import gzip
import hashlib
import io
import json
import os
import struct
import tarfile
from datetime import datetime
from pathlib import Path

SYSTEM = 7_123_456_789_012_345_678


def stamped(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%SZ}"


def base_backup(folder: Path, at: datetime, *, system: int = SYSTEM) -> Path:
    """A base backup with two files, checked by its manifest."""
    path = folder / stamped(at)
    (path / "global").mkdir(parents=True)
    files = {"PG_VERSION": b"18\n", "global/pg_control": struct.pack("<Q", system) + bytes(504)}
    for name, content in files.items():
        (path / name).write_bytes(content)
    write_manifest(path, files, system)
    return path


def write_manifest(path: Path, files: dict[str, bytes], system: int) -> None:
    listed = [
        {"Path": name, "Size": len(content), "Last-Modified": "2026-01-01 00:00:00 GMT",
         "Checksum-Algorithm": "SHA256", "Checksum": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    ]  # fmt: skip
    head = (
        '{ "PostgreSQL-Backup-Manifest-Version": 2,\n'
        f'"System-Identifier": {system},\n"Files": {json.dumps(listed)},\n'
        '"WAL-Ranges": [\n{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000120" }\n],\n'
    ).encode()
    own = hashlib.sha256(head).hexdigest()
    (path / "backup_manifest").write_bytes(head + f'"Manifest-Checksum": "{own}"}}\n'.encode())


def segment(folder: Path, number: int, at: datetime, *, system: int = SYSTEM) -> Path:
    """An archived segment, cut short, as old as `at` says."""
    path = folder / f"0000000100000000{number:08X}"
    path.write_bytes(bytes(24) + struct.pack("<Q", system) + bytes(96))
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def snapshot(
    folder: Path,
    at: datetime,
    *,
    state: bytes = b"state",
    sums: bytes | None = None,
    index: int = 7,
) -> Path:
    """A raft snapshot; with `sums` its list says something else."""
    files = {"meta.json": json.dumps({"Index": index, "Term": 3}).encode(), "state.bin": state}
    said = "".join(f"{hashlib.sha256(c).hexdigest()}  {name}\n" for name, c in files.items())
    files["SHA256SUMS"] = said.encode() if sums is None else sums
    path = folder / f"{stamped(at)}.snap"
    with (
        path.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb") as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), at.timestamp()
            archive.addfile(member, io.BytesIO(content))
    return path
