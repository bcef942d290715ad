"""Monthly partitions of the audit table, by range of the UUIDv7 id. Runs as the owner."""

from datetime import UTC, datetime
from uuid import UUID

from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from core.database import APP, STREAM, role

TABLE = "core_auditevent"
DEFAULT = "core_auditevent_default"


def ensure(*, now: datetime, ahead: int = 3, alias: str = "owner") -> list[str]:
    """Make the partitions of this month and the next `ahead`; names of those that are new.

    Rows that already fell into the default partition are moved.
    """
    made: list[str] = []
    month = _first_of_month(now)
    for _ in range(ahead + 1):
        upper = _next_month(month)
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            if not _exists(cursor, _name(month)):
                _make(cursor, month, upper)
                made.append(_name(month))
        month = upper
    return made


def expire(*, before: datetime, alias: str = "owner") -> list[str]:
    """Drop every partition that lies wholly before `before`; names of those dropped.

    What fell into the default partition is deleted by the same bound. The caller owes the
    retention rule that `before` follows from.
    """
    dropped: list[str] = []
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        for name in existing(cursor):
            if _next_month(_month_of(name)) <= before:
                cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
                dropped.append(name)
        cursor.execute(
            sql.SQL("DELETE FROM {} WHERE id < %s").format(sql.Identifier(DEFAULT)),
            [_bound(_first_of_month(before))],
        )
    return dropped


def months_ahead(*, now: datetime, alias: str = "default") -> int:
    """How many whole months after this one have a partition already, without a gap; -1 for none."""
    month, count = _first_of_month(now), -1
    with connections[alias].cursor() as cursor:
        names = set(existing(cursor))
    while _name(month) in names:
        month, count = _next_month(month), count + 1
    return count


def existing(cursor: CursorWrapper) -> list[str]:
    """Names of the monthly partitions, oldest first, without the default one."""
    cursor.execute(
        "SELECT relid::regclass::text FROM pg_partition_tree(%s::regclass)"
        " WHERE isleaf AND relid <> %s::regclass ORDER BY 1",
        [TABLE, DEFAULT],
    )
    return [row[0] for row in cursor.fetchall()]


def _make(cursor: CursorWrapper, lower: datetime, upper: datetime) -> None:
    name, parent = sql.Identifier(_name(lower)), sql.Identifier(TABLE)
    bounds = [_bound(lower), _bound(upper)]
    cursor.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(name, parent))
    cursor.execute(
        sql.SQL(
            "WITH moved AS (DELETE FROM {} WHERE id >= %s AND id < %s RETURNING *)"
            " INSERT INTO {} SELECT * FROM moved"
        ).format(sql.Identifier(DEFAULT), name),
        bounds,
    )
    cursor.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            parent, name, *(sql.Literal(str(bound)) for bound in bounds)
        )
    )
    _close(cursor, _name(lower))


def close(*, alias: str = "owner") -> None:
    """Take every right on the monthly partitions away, as when they were made."""
    with connections[alias].cursor() as cursor:
        for name in existing(cursor):
            _close(cursor, name)


def _close(cursor: CursorWrapper, name: str) -> None:
    """Rights on the parent cover reads and inserts through it.

    A partition named directly would otherwise be open to UPDATE and DELETE by the default
    privileges.
    """
    for role_setting in (APP, STREAM):
        cursor.execute(
            sql.SQL("REVOKE ALL ON {} FROM {}").format(
                sql.Identifier(name), sql.Identifier(role(role_setting))
            )
        )


def _exists(cursor: CursorWrapper, name: str) -> bool:
    cursor.execute("SELECT to_regclass(%s)", [name])
    row = cursor.fetchone()
    return row is not None and row[0] is not None


def _name(month: datetime) -> str:
    return f"{TABLE}_{month:%Y%m}"


def _month_of(name: str) -> datetime:
    return datetime.strptime(name.removeprefix(f"{TABLE}_"), "%Y%m").replace(tzinfo=UTC)


def _first_of_month(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next_month(month: datetime) -> datetime:
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def _bound(instant: datetime) -> UUID:
    """The smallest id that an instant can have: 48 bits of milliseconds, the rest zero."""
    return UUID(int=int(instant.timestamp() * 1000) << 80)
