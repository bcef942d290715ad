"""Statements of the hot paths: planned once per connection, values and results in binary.

The ORM builds and plans a statement anew for every call, which for a small one costs more than
running it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from django.db import connection
from psycopg import Cursor, RawCursor

_PREPARED_ONLY_ON_REQUEST: Final = 1 << 30


def fetch(
    statement: str, parameters: Sequence[Any] | Mapping[str, Any], *, numbered: bool = False
) -> list[tuple[Any, ...]]:
    """The rows of `statement`, whose text must be one of few; `numbered`: places are $1, $2, ….

    Runs on the default alias, in the transaction that is open there. Raises django.db.Error.
    """
    _log(statement)
    with connection.wrap_database_errors, _cursor(RawCursor if numbered else Cursor) as cursor:
        cursor.execute(statement, parameters, prepare=True, binary=True)
        return cursor.fetchall()


def run(statement: str, parameters: Sequence[Any]) -> None:
    """Run a `statement` that returns no rows; as `fetch`."""
    _log(statement)
    with connection.wrap_database_errors, _cursor(Cursor) as cursor:
        cursor.execute(statement, parameters, prepare=True)


@contextmanager
def pipelined() -> Iterator[None]:
    """Send what `run` is given in here with the next `fetch`, or at the end: fewer round trips.

    Inside a unit of work only. Errors of `run` are raised there, too.
    """
    connection.ensure_connection()
    driver: Any = connection.connection
    with connection.wrap_database_errors, driver.pipeline():
        yield


def _log(statement: str) -> None:
    """Let whoever counts statements count these, too."""
    if connection.queries_logged:
        connection.queries_log.append({"sql": statement, "time": "0.000"})


def _cursor(kind: type["Cursor[Any]"]) -> "Cursor[Any]":
    connection.ensure_connection()
    driver: Any = connection.connection
    if driver.prepare_threshold is None:  # Django's default refuses even what is asked for here
        driver.prepare_threshold = _PREPARED_ONLY_ON_REQUEST
    return kind(driver)
