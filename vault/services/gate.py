"""The gate: whether journal, database and key store were found in step by the eraser lately.

Reading it costs no call to anything but the database: the lease is a row that names the server
it was written on, so a restored, promoted or copied database reads as closed by itself.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection

from core.unit_of_work import requires_unit_of_work
from vault.domain.gate import WORDS, Reason
from vault.errors import RestoreReplayRequired
from vault.models import GateLease

#: No lease is given for as long as this (LETHE_GATE_LEASE is 15 minutes at most): one that ends
#: later was written before the server's clock stepped back, and nobody knows when it should end.
_IS_FRESH: Final = (
    "l.until > statement_timestamp() AND l.until < statement_timestamp() + interval '1000 s'"
)
_IS_SAME_SERVER: Final = """
    l.table_oid = l.tableoid::bigint
    AND l.postmaster_started = pg_postmaster_start_time()
    AND l.system_identifier = (SELECT system_identifier FROM pg_control_system())"""
#: A boolean expression without parameters, for the SELECTs that hand out data.
OPEN_SQL: Final = (
    "EXISTS (SELECT 1 FROM vault_gatelease l WHERE l.is_open"  # noqa: S608 - constants only
    " AND " + _IS_FRESH + " AND" + _IS_SAME_SERVER + ")"
)
_STATE: Final = (
    "SELECT l.is_open, l.reason, l.trouble, l.since,"  # noqa: S608 - constants only
    " " + _IS_FRESH + "," + _IS_SAME_SERVER + " FROM vault_gatelease l"
)
_IDENTITY: Final = """
SELECT system_identifier, pg_postmaster_start_time(),
       ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint,
       'vault_gatelease'::regclass::oid::bigint
FROM pg_control_system()"""


@dataclass(frozen=True, slots=True)
class State:
    """How the gate stands; `trouble` is the code of what hinders the next comparison, or empty."""

    is_open: bool
    reason: Reason
    trouble: str = ""
    since: datetime | None = None

    @property
    def words(self) -> str:
        """What it means, and what to do first."""
        return WORDS[self.reason]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which server and which table this is; a restore changes at least one of them."""

    system_identifier: int
    postmaster_started: datetime
    timeline: int
    table_oid: int


def state() -> State:
    """The gate as this database tells it."""
    with connection.cursor() as cursor:
        cursor.execute(_STATE)
        row = cursor.fetchone()
    if row is None:
        return State(is_open=False, reason=Reason.NOT_CHECKED)
    is_open, reason, trouble, since, is_fresh, is_same_server = row
    if not is_same_server:
        return State(is_open=False, reason=Reason.SERVER_CHANGED, trouble=trouble, since=since)
    if is_open and not is_fresh:
        return State(is_open=False, reason=Reason.LEASE_EXPIRED, trouble=trouble, since=since)
    return State(is_open, Reason(reason), trouble, since)


def require_open() -> None:
    """Raise RestoreReplayRequired unless the gate is open."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + OPEN_SQL)
        row = cursor.fetchone()
    if row != (True,):
        raise RestoreReplayRequired


def identity() -> Identity:
    """Of the server that answers; only a primary can."""
    with connection.cursor() as cursor:
        cursor.execute(_IDENTITY)
        return Identity(*cursor.fetchone())


def known_identity() -> Identity | None:
    """Of the server that the lease was last written on; None when it never was."""
    row = GateLease.objects.first()
    if row is None:
        return None
    return Identity(row.system_identifier, row.postmaster_started, row.timeline, row.table_oid)


@requires_unit_of_work
def write(reason: Reason, *, server: Identity, now: datetime) -> None:
    """Open or close the gate on `server`; the eraser process alone calls this."""
    before = GateLease.objects.select_for_update().first()
    is_open = reason is Reason.IN_STEP
    since = before.since if before and before.reason == reason else now
    GateLease.objects.update_or_create(
        id=1,
        defaults={
            "is_open": is_open,
            "reason": reason,
            "trouble": "",
            "since": since,
            "until": _database_now() + lease_time(),
            "system_identifier": server.system_identifier,
            "postmaster_started": server.postmaster_started,
            "timeline": server.timeline,
            "table_oid": server.table_oid,
        },
    )


def beat() -> int:
    """How far the eraser has counted in the key store, as far as this database knows."""
    return GateLease.objects.values_list("beat", flat=True).first() or 0


def beaten_at() -> datetime | None:
    """When it last did."""
    return GateLease.objects.values_list("beaten_at", flat=True).first()


def note_beat(beat: int, *, now: datetime) -> None:
    """Remember what the key store has been told."""
    GateLease.objects.update(beat=beat, beaten_at=now)


def note_trouble(code: str) -> None:
    """Remember what hinders the comparison; the lease runs on until it ends."""
    GateLease.objects.exclude(trouble=code[:64]).update(trouble=code[:64])


def lease_time() -> timedelta:
    """How long data is served after the last successful comparison."""
    time: timedelta = settings.LETHE_GATE_LEASE
    return time


def _database_now() -> datetime:
    """By the clock that OPEN_SQL reads, whatever ours says."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        (now,) = cursor.fetchone()
    moment: datetime = now
    return moment
