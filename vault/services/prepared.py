"""Subjects prepared ahead for imports, so that creating one costs no write in the key store.

A prepared subject is a shell (see `creating`) whose share was read back as LIVE and whose
evidence key is stored. It is taken once, under a lock that others skip. It is bound to the server
and the table in which it was prepared, as the gate's lease is: a restored database may hold
shells that were given to people since, and none of them is used again. What is not taken in time
is destroyed by `abandoned.purge` like any creation that broke off.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection

from core import failpoints
from core.copying import copy_in
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault.models import PreparedSubject
from vault.services import creating, gate
from vault.services.creating import Shell

#: Taken up to this age, hours before `abandoned.AGE`.
AGE: Final = timedelta(hours=20)
#: Subjects prepared together.
BATCH: Final = 1000

_COLUMNS: Final = {
    "subject_id": "uuid", "controller_id": "uuid", "evidence_public": "bytea",
    "prepared_at": "timestamptz", "system_identifier": "int8",
    "postmaster_started": "timestamptz", "table_oid": "int8",
}  # fmt: skip
_IS_HERE: Final = """
p.controller_id = %s AND p.prepared_at > %s AND p.table_oid = p.tableoid::bigint
AND p.postmaster_started = pg_postmaster_start_time()
AND p.system_identifier = (SELECT system_identifier FROM pg_control_system())"""
_COUNT: Final = """
SELECT count(*) FROM (
  SELECT 1 FROM vault_preparedsubject p WHERE {here} LIMIT %s) held""".replace("{here}", _IS_HERE)
_TAKE: Final = """
WITH taken AS (
  SELECT p.subject_id, s.trail_id, k.kid, p.evidence_public
  FROM vault_preparedsubject p
  JOIN vault_subject s ON s.id = p.subject_id AND s.state = 'live' AND s.evidence_public IS NULL
  JOIN vault_keyshare k ON k.subject_id = s.id AND k.state = 'live' AND k."group" = 'main'
  WHERE {here}
  LIMIT %s FOR UPDATE OF p, s SKIP LOCKED
), gone AS (
  DELETE FROM vault_preparedsubject p USING taken t WHERE p.subject_id = t.subject_id
)
SELECT * FROM taken""".replace("{here}", _IS_HERE)


@no_open_transaction
def prepare(*, controller_id: UUID, count: int, now: datetime) -> int:
    """Make up to `count` subjects ready beside those that are; how many were made.

    Raises CustodianUnavailable and RestoreReplayRequired; what was ready before stays so.
    """
    _forget(now=now)
    made = 0
    while made < count:
        shells = creating.make(controller_id=controller_id, count=min(BATCH, count - made), now=now)
        failpoints.reach("vault.prepared.made")
        with unit_of_work():
            gate.require_open()
            creating.store_evidence_keys(shells, now=now)
            server, oid = gate.identity(), _table_oid()
            copy_in(
                table="vault_preparedsubject",
                columns=_COLUMNS,
                rows=[
                    (shell.subject_id, controller_id, shell.evidence_public, now,
                     server.system_identifier, server.postmaster_started, oid)
                    for shell in shells
                ],
            )  # fmt: skip
        made += len(shells)
    return made


def available(*, controller_id: UUID, limit: int, now: datetime) -> int:
    """How many are ready now, counted up to `limit`; another writer may take them first."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [controller_id, now - AGE, limit])
        (count,) = cursor.fetchone()
    held: int = count
    return held


@requires_unit_of_work
def take(*, controller_id: UUID, count: int, now: datetime) -> list[Shell]:
    """Up to `count` prepared subjects, no longer prepared and locked until commit."""
    if not count:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [controller_id, now - AGE, count])
        rows = cursor.fetchall()
    return [Shell(subject_id, trail, kid, bytes(public)) for subject_id, trail, kid, public in rows]


def _table_oid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 'vault_preparedsubject'::regclass::oid::bigint")
        (oid,) = cursor.fetchone()
    number: int = oid
    return number


def _forget(*, now: datetime) -> None:
    """Rows too old to be taken; their subjects are left to `abandoned.purge`."""
    with unit_of_work():
        PreparedSubject.objects.filter(prepared_at__lte=now - AGE).delete()
