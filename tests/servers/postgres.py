"""One embedded PostgreSQL for a test run, or the one that DATABASE_OWNER_URL already names."""

import os
from pathlib import Path

from config.local import postgres

_STATE = Path(os.environ.get("LETHE_TEST_STATE", ".lethe/test")).resolve()


def server() -> postgres.EmbeddedPostgres:
    """The embedded server of the tests, started when needed and shared by parallel workers."""
    return postgres.start(_STATE / "pg", keep_running=False)


def ensure() -> None:
    """Set the DATABASE_* variables to the embedded server unless they name another."""
    if "DATABASE_OWNER_URL" in os.environ:
        return
    embedded = server()
    postgres.create_database(embedded, "lethe")
    os.environ.update(embedded.environment("lethe"))
