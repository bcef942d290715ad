"""The erasure machine from KEYS_DESTROYED to SWEPT: what the keys protected, and what led there."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import orjson
from django.conf import settings

from core import effect_batches, failpoints, statements
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.states import Scope, ShreddingState
from vault.models import Alias, Rekey, Removal, Shredding, ShredLock, Subject
from vault.ports import Swept
from vault.services import group_shredding, removals, shredding

_KINDS: Final = (
    "records",
    "grants",
    "custody_grants",
    "data_keys",
    "aliases",
    "tags",
    "openings",
)
#: In one statement: what refers to what is only looked at when the transaction commits.
_DELETE: Final = """
WITH records AS (DELETE FROM vault_sealedrecord WHERE subject_id = ANY(%(subjects)s::uuid[])
  RETURNING subject_id, 'records' AS kind),
grants AS (DELETE FROM vault_keygrant WHERE subject_id = ANY(%(subjects)s::uuid[])
  RETURNING subject_id, 'grants' AS kind),
custody_grants AS (DELETE FROM vault_custodygrant WHERE subject_id = ANY(%(subjects)s::uuid[])
  RETURNING subject_id, 'custody_grants' AS kind),
data_keys AS (DELETE FROM vault_datakey WHERE subject_id = ANY(%(subjects)s::uuid[])
  RETURNING subject_id, 'data_keys' AS kind),
aliases AS (DELETE FROM vault_alias WHERE subject_id = ANY(%(subjects)s::uuid[])
  RETURNING subject_id, 'aliases' AS kind),
tags AS (DELETE FROM vault_lookuptag WHERE subject_id = ANY(%(subjects)s::uuid[])
  RETURNING subject_id, 'tags' AS kind),
openings AS (DELETE FROM vault_sealedopening WHERE subject_id = ANY(%(subjects)s::uuid[])
  RETURNING subject_id, 'openings' AS kind)
SELECT subject_id, kind, count(*) FROM (
  TABLE records UNION ALL TABLE grants UNION ALL TABLE custody_grants UNION ALL TABLE data_keys
  UNION ALL TABLE aliases UNION ALL TABLE tags UNION ALL TABLE openings
) AS deleted GROUP BY subject_id, kind"""
_CUT_SHARES: Final = """
UPDATE vault_keyshare k
SET subject_id = NULL, planned_at = date_trunc('month', s.created_at, 'UTC')
FROM vault_subject s WHERE s.id = k.subject_id AND s.id = ANY(%s)"""
_CUT_SUBJECTS: Final = """
UPDATE vault_subject SET state = 'erased', trail_id = NULL, evidence_public = NULL,
  erasure_id = NULL, created_at = date_trunc('month', created_at, 'UTC'),
  restricted_at = NULL, lifted_at = NULL
WHERE id = ANY(%s)"""
#: After a restore the journal has put them back already.
_SUPPRESS: Final = """
INSERT INTO vault_suppressiontag
  (id, controller_id, kind, tag, source_id, erasure_id, expires_at)
SELECT gen_random_uuid(), t.controller_id, t.kind, t.suppression, t.source_id, e.erasure_id, %s
FROM unnest(%s::uuid[], %s::uuid[]) AS e (subject_id, erasure_id)
JOIN vault_lookuptag t ON t.subject_id = e.subject_id
WHERE NOT EXISTS (
  SELECT 1 FROM vault_suppressiontag s
  WHERE s.controller_id = t.controller_id AND s.kind = t.kind AND s.tag = t.suppression
    AND s.source_id = t.source_id AND s.erasure_id = e.erasure_id)"""
_SWEPT: Final = """
UPDATE vault_shredding d SET state = 'swept', swept_at = %s, counts = c.counts,
  subject_id = CASE WHEN d.scope = 'subject' THEN NULL ELSE d.subject_id END
FROM unnest(%s::uuid[], %s::jsonb[]) AS c (erasure_id, counts)
WHERE d.erasure_id = c.erasure_id"""


@no_open_transaction
def sweep(*, erasure_ids: Sequence[UUID], now: datetime) -> None:
    """Delete what the keys protected and cut what leads back to the person; one transaction."""
    with unit_of_work():
        rows = shredding.locked(erasure_ids, ShreddingState.KEYS_DESTROYED)
        if not rows:
            return
        of_groups = group_shredding.sweep(
            [row for row in rows if row.scope != Scope.SUBJECT], now=now
        )
        swept = _people([row for row in rows if row.scope == Scope.SUBJECT])
        subject_ids = [one.subject_id for one in swept]
        _keep_removals(subject_ids, now=now)
        _keep_suppressions({one.subject_id: one.erasure_id for one in swept}, now=now)
        counts = _delete(subject_ids)
        for participant in runtime.participants():
            participant.swept(erasures=swept)
        of = of_groups | {one.erasure_id: counts[one.subject_id] for one in swept}
        effect_batches.enqueue_many(
            kind="vault.attest",
            items=((str(row.erasure_id), {"erasure_id": str(row.erasure_id)}) for row in rows),
            now=now,
        )
        _mark(rows, of, now=now)
        _cut(subject_ids)
        failpoints.reach("vault.sweep.before-commit")


def _people(rows: Sequence[Shredding]) -> list[Swept]:
    subject_ids = [row.subject_id for row in rows if row.subject_id is not None]
    subjects = Subject.objects.select_for_update().filter(id__any=subject_ids).order_by("id")
    trails = dict(subjects.values_list("id", "trail_id"))
    return [
        Swept(row.erasure_id, row.subject_id, trails[row.subject_id])
        for row in rows
        if row.subject_id is not None
    ]


@requires_unit_of_work
def _cut(subject_ids: Sequence[UUID]) -> None:
    """Leave tombstones that lead nowhere: no trail, no share, no erasure, no exact time.

    The exact time of its creation would find the event of its creation, and so the trail. A
    subject that never came to be leaves none: nobody was ever given its id.
    """
    subjects = Subject.objects.filter(id__any=subject_ids)
    never_were = list(subjects.filter(evidence_public=None).values_list("id", flat=True))
    Rekey.objects.filter(subject_id__any=subject_ids).delete()
    Shredding.objects.filter(subject_id__any=subject_ids).update(subject=None)
    ShredLock.objects.filter(scope=ShredLock.Scope.SUBJECT, scope_id__any=subject_ids).delete()
    statements.run(_CUT_SHARES, [subject_ids])
    statements.run(_CUT_SUBJECTS, [subject_ids])
    if never_were:
        Subject.objects.filter(id__any=never_were).delete()


@requires_unit_of_work
def _keep_removals(subject_ids: Sequence[UUID], *, now: datetime) -> None:
    aliases = Alias.objects.filter(subject_id__any=subject_ids).values_list("purpose_id", "id")
    removals.keep(list(aliases), reason=Removal.Reason.ERASED, now=now)


@requires_unit_of_work
def _keep_suppressions(erasures: dict[UUID, UUID], *, now: datetime) -> None:
    expires_at = now + timedelta(days=settings.LETHE_SUPPRESSION_DAYS)
    statements.run(_SUPPRESS, [expires_at, list(erasures), list(erasures.values())])


@requires_unit_of_work
def _delete(subject_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Delete the subjects' rows; how many of each kind each of them had."""
    counts = {subject_id: dict.fromkeys(_KINDS, 0) for subject_id in subject_ids}
    deleted = statements.fetch(_DELETE, {"subjects": list(subject_ids)})
    for subject_id, kind, count in deleted:
        counts[subject_id][kind] = count
    return counts


@requires_unit_of_work
def _mark(
    rows: Sequence[Shredding], counts: Mapping[UUID, Mapping[str, int]], *, now: datetime
) -> None:
    """SWEPT, with what was deleted, for attestation and certificate; the person is cut off."""
    shredding.require_moves(rows, ShreddingState.SWEPT)
    erasure_ids = [row.erasure_id for row in rows]
    texts = [orjson.dumps(counts.get(id_, {})).decode() for id_ in erasure_ids]
    statements.run(_SWEPT, [now, erasure_ids, texts])
    shredding.note("swept", rows, now=now, details=counts)
