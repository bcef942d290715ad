"""What differs when one key group of a subject is destroyed and the subject lives on.

Fence and sweep go by shares here, never by subject; all steps between are those of any erasure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from core import effects
from core.actors import Actor
from core.unit_of_work import requires_unit_of_work
from vault.domain.states import CANCELLABLE, RekeyState, Scope, ShareState, ShreddingState
from vault.errors import ShredBlocked
from vault.models import (
    CustodyGrant,
    DataKey,
    KeyGrant,
    KeyShare,
    Rekey,
    SealedRecord,
    Shredding,
    ShreddingShare,
    Subject,
)
from vault.services import locks, shredding
from vault.services.grants import lock_subject

_GONE = (ShareState.DESTROYED, ShareState.ABSENT)


@dataclass(frozen=True, slots=True)
class Part:
    """What of a subject is to end, and why: `request` is what a certificate says of that."""

    subject_id: UUID
    scope: Scope
    group: str
    request: Mapping[str, Any]
    open_leases: int = 0


@requires_unit_of_work
def fence(
    part: Part, *, shares: QuerySet[KeyShare], erasure_id: UUID, actor: Actor, now: datetime
) -> Shredding:
    """Stop all use of those of `shares` with this commit, and enqueue their destruction.

    Raises SubjectNotFound, SubjectErased, ShredBlocked (with the ground of one lock).
    """
    shredding.serialize([part.subject_id])
    controller_id = lock_subject(part.subject_id).controller_id
    for lock in locks.blocking(subject_id=part.subject_id, group=part.group):
        raise ShredBlocked(ground=lock.ground, lock=str(lock.id))
    row = Shredding.objects.create(
        erasure_id=erasure_id,
        controller_id=controller_id,
        subject_id=part.subject_id,
        scope=part.scope,
        group=part.group,
        request=dict(part.request),
        state=ShreddingState.FENCED,
        fenced_at=now,
        drain_until=now + shredding.drain_time(),
        open_leases=part.open_leases,
    )
    _retire(row, shares, now=now)
    effects.enqueue(
        kind="vault.shred",
        key=str(erasure_id),
        payload={"erasure_id": str(erasure_id)},
        now=now,
        not_before=row.drain_until,
    )
    shredding.note("fenced", [row], now=now, actor=actor)
    return row


@requires_unit_of_work
def _retire(row: Shredding, shares: QuerySet[KeyShare], *, now: datetime) -> None:
    of_group = shares.filter(subject=row.subject, group=row.group)
    concerned = list(of_group.exclude(state__in=_GONE))
    ShreddingShare.objects.bulk_create(
        ShreddingShare(shredding=row, share=share, was_live=share.state == ShareState.LIVE)
        for share in concerned
    )
    fenced = KeyShare.objects.filter(kid__in=[share.kid for share in concerned])
    fenced.exclude(state=ShareState.RETIRED).update(state=ShareState.RETIRED, retired_at=now)


@requires_unit_of_work
def sweep(rows: Sequence[Shredding], *, now: datetime) -> dict[UUID, dict[str, int]]:
    """Delete what the destroyed shares protected; how many rows of each kind, by erasure."""
    counts = {row.erasure_id: _delete(row) for row in rows}
    Rekey.objects.filter(erasure_id__in=counts, state=RekeyState.DESTROYING).update(
        state=RekeyState.DONE, done_at=now
    )
    return counts


def _delete(row: Shredding) -> dict[str, int]:
    kids = list(ShreddingShare.objects.filter(shredding=row).values_list("share_id", flat=True))
    held = {
        "records": SealedRecord.objects.filter(data_key__share__in=kids),
        "grants": KeyGrant.objects.filter(share__in=kids),
        "custody_grants": CustodyGrant.objects.filter(data_key__share__in=kids),
        "data_keys": DataKey.objects.filter(share__in=kids),
    }
    return {kind: rows.delete()[0] for kind, rows in held.items()}


@requires_unit_of_work
def fence_again(
    item: Mapping[str, Any], *, noted: Mapping[str, Any], at: datetime
) -> Shredding | None:
    """Fence what a restored database has forgotten was fenced; None when it knows no such share.

    `noted` is the journal's receipt. What was called off after the restore is fenced again, too.
    A database from before a re-key's swap has lost what that kept: the key is destroyed already.
    """
    scope, kids = Scope(item["scope"]), [UUID(hex=kid) for kid in item["kids"]]
    known = KeyShare.objects.filter(kid__in=kids, subject__isnull=False).exclude(state__in=_GONE)
    owner = known.first()
    if owner is None or owner.subject is None:
        return None
    Subject.objects.select_for_update().get(id=owner.subject.id)
    if scope is Scope.REKEY:
        _lose(known, at=at)
    row = Shredding.objects.create(
        erasure_id=UUID(item["erasure_id"]),
        controller_id=owner.controller_id,
        subject=owner.subject,
        scope=scope,
        group=item["group"],
        state=ShreddingState.FENCED,
        fenced_at=at,
        drain_until=at,
        journal=noted,
    )
    _retire(row, known.filter(lost_at=None), now=at)
    Rekey.objects.filter(old_share__in=kids, state=RekeyState.SWAPPED).update(
        state=RekeyState.DESTROYING, erasure_id=row.erasure_id
    )
    return row


@requires_unit_of_work
def lose_again(item: Mapping[str, Any], *, at: datetime) -> None:
    """Say of keys that were given up as nobody's that they are gone; this database knows whose."""
    kids = [UUID(hex=kid) for kid in item["kids"]]
    known = KeyShare.objects.filter(kid__in=kids, subject__isnull=False)
    owners = Subject.objects.filter(id__in=known.values("subject"))
    list(owners.select_for_update().order_by("id").values_list("id"))
    _lose(known, at=at)


@requires_unit_of_work
def _lose(shares: QuerySet[KeyShare], *, at: datetime) -> None:
    """Say of shares still in use that their keys are gone, and give their re-keys up.

    In use is also what a fence has stopped that may be called off yet.
    """
    fenced = ShreddingShare.objects.filter(
        share=OuterRef("kid"), was_live=True, shredding__state__in=CANCELLABLE
    )
    shares.filter(Exists(fenced), state=ShareState.RETIRED, lost_at=None).update(lost_at=at)
    lost = list(shares.filter(state=ShareState.LIVE).values_list("kid", flat=True))
    given_up = Rekey.objects.filter(old_share__in=lost).exclude(state=RekeyState.DONE)
    successors = list(given_up.values_list("new_share_id", flat=True))
    given_up.delete()
    KeyShare.objects.filter(kid__in=successors).update(state=ShareState.RETIRED)
    KeyShare.objects.filter(kid__in=lost).update(state=ShareState.LOST, lost_at=at)
