"""The first step of an erasure: with its commit nothing of the subject is read or written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

from django.conf import settings

from core import audit, effect_batches, statements
from core.actors import Actor, process_actor
from core.unit_of_work import requires_unit_of_work
from vault.domain.states import CANCELLABLE, ShareState, ShreddingState
from vault.errors import ShredBlocked, SubjectErased, SubjectNotFound
from vault.models import KeyShare, Shredding, Subject
from vault.services import locks
from vault.services.grounds import lock_subjects

ERASER = process_actor("eraser")
_GONE = (ShareState.DESTROYED, ShareState.ABSENT)

#: Those that are gone too: the erasure reads every share of the subject and attests it.
_LINK: Final = """
INSERT INTO vault_shreddingshare (shredding_id, share_id, was_live)
SELECT f.erasure_id, k.kid, k.state = 'live'
FROM unnest(%s::uuid[], %s::uuid[]) AS f (subject_id, erasure_id)
JOIN vault_keyshare k ON k.subject_id = f.subject_id ORDER BY k.kid"""
_FENCE: Final = """
UPDATE vault_subject s SET state = 'fenced', erasure_id = f.erasure_id
FROM unnest(%s::uuid[], %s::uuid[]) AS f (subject_id, erasure_id) WHERE s.id = f.subject_id"""


@dataclass(frozen=True, slots=True)
class Fence:
    """A subject to erase; `open_leases` is how many leases were open on its purposes."""

    subject_id: UUID
    erasure_id: UUID
    open_leases: int = 0


Refusal: TypeAlias = SubjectNotFound | SubjectErased | ShredBlocked


def drain_time() -> timedelta:
    """What is outwaited after a fence: page-write deadline, cached keys, one key-store call."""
    call = timedelta(seconds=settings.LETHE_VAULT_TIMEOUT)
    drain: timedelta = settings.LETHE_PAGE_DEADLINE + settings.LETHE_DEK_CACHE + call
    return drain


@requires_unit_of_work
def fence(
    *, subject_id: UUID, erasure_id: UUID, actor: Actor, open_leases: int, now: datetime
) -> Shredding:
    """Stop all reading and writing of the subject with this commit, and enqueue the destruction.

    `open_leases` is how many leases were open on the subject's purposes. Raises SubjectNotFound,
    SubjectErased, ShredBlocked (with the ground of one lock).
    """
    wanted = Fence(subject_id, erasure_id, open_leases)
    (fenced,) = fence_many(fences=[wanted], actor=actor, now=now)
    if not isinstance(fenced, Shredding):
        raise fenced
    return fenced


@requires_unit_of_work
def fence_many(
    *, fences: Sequence[Fence], actor: Actor, now: datetime
) -> list[Shredding | Refusal]:
    """As `fence` for each, in order; what is refused stands as its error in its place.

    Each subject stands once in `fences`.
    """
    serialize([one.subject_id for one in fences])
    owners = lock_subjects([one.subject_id for one in fences])
    covered = locks.covering(subject_ids=owners)
    made: dict[UUID, Shredding] = {}
    for one in fences:
        owner = owners[one.subject_id]
        if isinstance(owner, UUID) and one.subject_id not in covered:
            made[one.subject_id] = _row(one, owner, now=now)
    _begin(made, actor=actor, now=now)
    answers: list[Shredding | Refusal] = []
    for one in fences:
        owner = owners[one.subject_id]
        if isinstance(owner, SubjectNotFound | SubjectErased):
            answers.append(owner)
        elif one.subject_id in made:
            answers.append(made[one.subject_id])
        else:
            lock = covered[one.subject_id]
            answers.append(ShredBlocked(ground=lock.ground, lock=str(lock.id)))
    return answers


def _row(one: Fence, controller_id: UUID, *, now: datetime) -> Shredding:
    return Shredding(
        erasure_id=one.erasure_id,
        controller_id=controller_id,
        subject_id=one.subject_id,
        state=ShreddingState.FENCED,
        fenced_at=now,
        drain_until=now + drain_time(),
        open_leases=one.open_leases,
    )


@requires_unit_of_work
def _begin(rows: Mapping[UUID, Shredding], *, actor: Actor, now: datetime) -> None:
    """Write the fences of locked subjects."""
    if not rows:
        return
    _supersede(list(rows), actor=actor, now=now)
    Shredding.objects.bulk_create(rows.values(), batch_size=500)
    subject_ids = list(rows)
    erasure_ids = [row.erasure_id for row in rows.values()]
    statements.run(_LINK, [subject_ids, erasure_ids])
    shares = KeyShare.objects.filter(subject_id__any=subject_ids).exclude(state__in=_GONE)
    shares.update(state=ShareState.RETIRED, retired_at=now)
    statements.run(_FENCE, [subject_ids, erasure_ids])
    effect_batches.enqueue_many(
        kind="vault.shred",
        items=[(str(id_), {"erasure_id": str(id_)}) for id_ in erasure_ids],
        now=now,
        not_before=now + drain_time(),
    )
    note("fenced", rows.values(), now=now, actor=actor)


@requires_unit_of_work
def _supersede(subject_ids: Sequence[UUID], *, actor: Actor, now: datetime) -> None:
    """Take back what has begun for one key group: the erasure destroys all of them."""
    begun = Shredding.objects.filter(subject_id__any=subject_ids, state__in=list(CANCELLABLE))
    for erasure_id in begun.values_list("erasure_id", flat=True):
        locks.cancel(erasure_id=erasure_id, actor=actor, now=now)


@requires_unit_of_work
def serialize(subject_ids: Sequence[UUID]) -> None:
    """Order us against lock changes, before any row's lock, as whoever places a lock does."""
    found = Subject.objects.filter(id__any=subject_ids).order_by("controller_id")
    for controller_id in found.values_list("controller_id", flat=True).distinct():
        locks.serialize(controller_id, exclusive=False)


@requires_unit_of_work
def note(
    step: str,
    rows: Iterable[Shredding],
    *,
    now: datetime,
    actor: Actor = ERASER,
    details: Mapping[UUID, Mapping[str, int]] | None = None,
) -> None:
    """Record the step of each erasure as process evidence."""
    audit.record_many(
        [
            audit.Event(
                action=f"vault.shredding.{step}",
                actor=actor,
                controller_id=row.controller_id,
                now=now,
                erasure_id=row.erasure_id,
                details=dict((details or {}).get(row.erasure_id, {})),
            )
            for row in rows
        ]
    )
