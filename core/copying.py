"""Many rows at once by COPY: triggers and constraints hold as for INSERT, the ORM is left out."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from django.db import connection
from psycopg import sql

from core import statements
from core.unit_of_work import requires_unit_of_work

#: Up to as many rows one INSERT takes fewer round trips.
_FEW: Final = 4


@requires_unit_of_work
def copy_in(*, table: str, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert `rows` into `table`; `columns` gives each column's type, in the order of the rows.

    A column that is left out gets the database's default. Raises what an INSERT would raise
    (django.db.Error), at the end of the copy.
    """
    held = list(rows)
    if not held:
        return
    if len(held) <= _FEW:
        insert = _insert(table, tuple(columns.items()), len(held))
        statements.run(insert, [value for row in held for value in row])
        return
    copying = sql.SQL("COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)").format(
        table=sql.Identifier(table),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
    )
    # A copy ends, and its triggers speak, outside any call that Django translates errors of.
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(copying) as to:
        to.set_types(list(columns.values()))
        for row in held:
            to.write_row(row)


@lru_cache
def _insert(table: str, columns: tuple[tuple[str, str], ...], rows: int) -> str:
    """The text of an INSERT of so many rows, one of a few per table."""
    one = sql.SQL(", ").join(sql.SQL("%s::{}").format(sql.Identifier(kind)) for _, kind in columns)
    return (
        sql.SQL("INSERT INTO {table} ({columns}) VALUES {rows}")
        .format(
            table=sql.Identifier(table),
            columns=sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns),
            rows=sql.SQL(", ").join([sql.SQL("({})").format(one)] * rows),
        )
        .as_string()
    )
