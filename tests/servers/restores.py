"""Real restores of the test database: a custom-format dump put back over the living one."""

import secrets
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.db import connections

from core import rights
from tests.security import dumps


def take(target: Path) -> Path:
    """A dump in PostgreSQL's custom format, as backup jobs write it."""
    return dumps.take(target, "--format=custom")


def put_back(dump: Path) -> None:
    """`pg_restore --clean` into the same database, then what `migrate` does as the owner."""
    put_back_only(dump)
    rights.restate()


def put_back_only(dump: Path) -> None:
    """`pg_restore --clean` into the same database of the same server.

    It cannot drop an index that a partition has inherited, says so, and goes on.
    """
    disconnect()
    settings = connections["owner"].settings_dict
    _run("pg_restore", "--clean", "--if-exists", "--no-password",
         f"--dbname={settings['NAME']}", str(dump))  # fmt: skip


def disconnect() -> None:
    """Close what this process holds open: a restore needs every lock."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        close_pool = getattr(connection, "close_pool", None)
        if close_pool is not None:
            close_pool()


def _run(name: str, *arguments: str) -> None:
    done = subprocess.run(
        [dumps.program(name), *_place(), *arguments],
        env={"PGPASSWORD": connections["owner"].settings_dict["PASSWORD"], "PATH": "/usr/bin:/bin"},
        check=False,
        capture_output=True,
        timeout=120,
    )
    said = [line for line in done.stderr.decode().splitlines() if "error:" in line]
    assert all("cannot drop inherited" in line for line in said), done.stderr.decode()


def _place() -> Sequence[str]:
    settings = connections["owner"].settings_dict
    place = {"host": settings["HOST"], "port": settings["PORT"], "username": settings["USER"]}
    return [f"--{name}={value}" for name, value in place.items() if value]


@contextmanager
def in_a_new_database(dump: Path) -> Iterator[str]:
    """The dump restored into another database of the same server, which everything now uses."""
    name = f"restored_{secrets.token_hex(4)}"
    _run("createdb", "--no-password", name)
    disconnect()
    before = {alias: connections[alias].settings_dict["NAME"] for alias in ("default", "owner")}
    try:
        _run("pg_restore", "--no-password", f"--dbname={name}", str(dump))
        _use(dict.fromkeys(before, name))
        rights.restate()
        yield name
    finally:
        disconnect()
        _use(before)
        _run("dropdb", "--no-password", name)


def _use(names: Mapping[str, str]) -> None:
    for alias, name in names.items():
        connections[alias].settings_dict["NAME"] = name
