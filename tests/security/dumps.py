"""Dumps of the test database by PostgreSQL's own tool, and what somebody with one can read."""

import shutil
import subprocess
from pathlib import Path

from django.db import connections

from tests.servers import postgres

Row = dict[str, str]


def take(target: Path, *options: str) -> Path:
    """A dump of the whole database as its owner; plain text unless the options say otherwise."""
    settings = connections["owner"].settings_dict
    place = {"host": settings["HOST"], "port": settings["PORT"], "username": settings["USER"]}
    places = [f"--{name}={value}" for name, value in place.items() if value]
    done = subprocess.run(
        [
            program("pg_dump"),
            *places,
            f"--dbname={settings['NAME']}",
            f"--file={target}",
            *options,
        ],
        env={"PGPASSWORD": settings["PASSWORD"], "PATH": "/usr/bin:/bin"},
        check=False,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    return target


def program(name: str) -> str:
    """The tool of the embedded server, which is as new as the server; else the system's."""
    host = connections["owner"].settings_dict["HOST"]
    embedded = postgres.server() if host.startswith("/") else None
    if embedded is not None and host == embedded.socket_dir:
        return str(embedded.bin_dir / name)
    found = shutil.which(name)
    assert found, f"{name} is needed"
    return found


def rows(dump: Path, table: str) -> list[Row]:
    """The rows of `table` in a plain dump, each value as PostgreSQL wrote it."""
    lines = iter(dump.read_text(encoding="utf-8").splitlines())
    start = f"COPY public.{table} ("
    for line in lines:
        if line.startswith(start):
            names = line[len(start) : line.index(")")].replace('"', "").split(", ")
            break
    else:
        raise AssertionError(f"the dump has no table {table}")
    found = []
    for line in lines:
        if line == "\\.":
            break
        found.append(dict(zip(names, line.split("\t"), strict=True)))
    return found


def binary(value: str) -> bytes:
    """A bytea column's bytes."""
    return bytes.fromhex(value.removeprefix("\\\\x"))
