"""The erasure machine from KEYS_DESTROYED to SWEPT: what the keys protected, and what led there."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from django.conf import settings
from django.db.models import Count
from django.db.models.functions import TruncMonth

from core import effect_batches, failpoints
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.states import Scope, ShreddingState, SubjectState
from vault.models import (
    Alias,
    CustodyGrant,
    DataKey,
    KeyGrant,
    KeyShare,
    LookupTag,
    Rekey,
    Removal,
    SealedOpening,
    SealedRecord,
    Shredding,
    ShredLock,
    Subject,
    SuppressionTag,
)
from vault.ports import Swept
from vault.services import group_shredding, removals, shredding


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
        _cut(subject_ids)
        of = of_groups | {one.erasure_id: counts[one.subject_id] for one in swept}
        for row in rows:
            row.counts = of.get(row.erasure_id, {})
            if row.scope == Scope.SUBJECT:
                row.subject = None
        effect_batches.enqueue_many(
            kind="vault.attest",
            items=((str(row.erasure_id), {"erasure_id": str(row.erasure_id)}) for row in rows),
            now=now,
        )
        shredding.move(rows, ShreddingState.SWEPT, now=now, also=["subject", "counts"], details=of)
        failpoints.reach("vault.sweep.before-commit")


def _people(rows: Sequence[Shredding]) -> list[Swept]:
    subject_ids = [row.subject_id for row in rows if row.subject_id is not None]
    subjects = Subject.objects.select_for_update().filter(id__in=subject_ids).order_by("id")
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
    subjects = Subject.objects.filter(id__in=subject_ids)
    never_were = list(subjects.filter(evidence_public=None).values_list("id", flat=True))
    months: dict[datetime, list[UUID]] = defaultdict(list)
    created = subjects.annotate(month=TruncMonth("created_at"))
    for subject_id, month in created.values_list("id", "month"):
        months[month].append(subject_id)
    Rekey.objects.filter(subject__in=subject_ids).delete()
    Shredding.objects.filter(subject__in=subject_ids).update(subject=None)
    ShredLock.objects.filter(scope=ShredLock.Scope.SUBJECT, scope_id__in=subject_ids).delete()
    for month, of_month in months.items():
        KeyShare.objects.filter(subject__in=of_month).update(subject=None, planned_at=month)
        Subject.objects.filter(id__in=of_month).update(
            state=SubjectState.ERASED,
            trail_id=None,
            evidence_public=None,
            erasure_id=None,
            created_at=month,
            restricted_at=None,
            lifted_at=None,
        )
    Subject.objects.filter(id__in=never_were).delete()


def _keep_removals(subject_ids: Sequence[UUID], *, now: datetime) -> None:
    aliases = Alias.objects.filter(subject__in=subject_ids).values_list("purpose_id", "id")
    removals.keep(list(aliases), reason=Removal.Reason.ERASED, now=now)


def _keep_suppressions(erasures: dict[UUID, UUID], *, now: datetime) -> None:
    # After a restore the journal has put them back already.
    kept = {
        (row.erasure_id, row.kind, bytes(row.tag), row.source_id)
        for row in SuppressionTag.objects.filter(erasure_id__in=list(erasures.values()))
    }
    SuppressionTag.objects.bulk_create(
        SuppressionTag(
            controller_id=tag.controller_id,
            kind=tag.kind,
            tag=tag.suppression,
            source_id=tag.source_id,
            erasure_id=erasures[tag.subject_id],
            expires_at=now + timedelta(days=settings.LETHE_SUPPRESSION_DAYS),
        )
        for tag in LookupTag.objects.filter(subject__in=list(erasures))
        if (erasures[tag.subject_id], tag.kind, bytes(tag.suppression), tag.source_id) not in kept
    )


_Held: TypeAlias = (
    SealedRecord | KeyGrant | CustodyGrant | DataKey | Alias | LookupTag | SealedOpening
)


@requires_unit_of_work
def _delete(subject_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Delete the subjects' rows, children first; how many of each kind each of them had."""
    kinds: dict[str, type[_Held]] = {
        "records": SealedRecord,
        "grants": KeyGrant,
        "custody_grants": CustodyGrant,
        "data_keys": DataKey,
        "aliases": Alias,
        "tags": LookupTag,
        "openings": SealedOpening,
    }
    counts = {subject_id: dict.fromkeys(kinds, 0) for subject_id in subject_ids}
    for kind, model in kinds.items():
        rows = model.objects.filter(subject_id__in=subject_ids)
        for subject_id, count in rows.values_list("subject_id").annotate(Count("pk")):
            counts[subject_id][kind] = count
        rows._raw_delete(rows.db)  # noqa: SLF001 - children went first; no collector needed
    return counts
