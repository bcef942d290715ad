"""Many rows at once by COPY: triggers and constraints hold as for INSERT, the ORM is left out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg import sql

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
    names = {
        "table": sql.Identifier(table),
        "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
    }
    # A copy ends, and its triggers speak, outside any call that Django translates errors of.
    with connection.wrap_database_errors, connection.cursor() as cursor:
        if len(held) <= _FEW:
            _insert(cursor, names, held)
            return
        copying = sql.SQL("COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)")
        with cursor.copy(copying.format(**names)) as copy:
            copy.set_types(list(columns.values()))
            for row in held:
                copy.write_row(row)


def _insert(
    cursor: CursorWrapper, names: Mapping[str, sql.Composable], rows: list[Sequence[Any]]
) -> None:
    one = sql.SQL("({})").format(sql.SQL(", ").join([sql.Placeholder()] * len(rows[0])))
    statement = sql.SQL("INSERT INTO {table} ({columns}) VALUES {rows}").format(
        rows=sql.SQL(", ").join([one] * len(rows)), **names
    )
    cursor.execute(statement.as_string(), [value for row in rows for value in row])
