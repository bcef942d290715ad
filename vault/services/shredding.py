"""The erasure machine up to its point of no return: FENCED, DRAINED, ORDERED.

`fence` is called by the room above in its own unit of work; the later steps are run by the
eraser process through the effect `vault.shred`, for many erasures at once, each from whatever
state a crash left behind. Every step is idempotent and writes its marker last.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from core import audit, effects
from core.actors import Actor, process_actor
from core.errors import NotFound
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault.domain.states import (
    CANCELLABLE,
    ShareState,
    ShreddingState,
    SubjectState,
    require_shredding_move,
)
from vault.errors import ShredBlocked
from vault.models import KeyShare, Shredding, ShreddingShare, Subject
from vault.services import destructions, locks
from vault.services.grants import lock_subject

ERASER = process_actor("eraser")
#: States in which the eraser still has something to do.
UNFINISHED = (
    ShreddingState.FENCED,
    ShreddingState.DRAINED,
    ShreddingState.ORDERED,
    ShreddingState.KEYS_DESTROYED,
)
#: Not stopped by a restore, or released since.
RUNNABLE = Q(held_at=None) | Q(released_at__isnull=False)


class ErasureNotFound(NotFound):
    """No erasure has this id."""

    code = "erasure-not-found"
    text = "No erasure of yours has this id."


def get(*, erasure_id: UUID) -> Shredding:
    """The shredding's row. Raises ErasureNotFound."""
    shredding = Shredding.objects.filter(erasure_id=erasure_id).first()
    if shredding is None:
        raise ErasureNotFound
    return shredding


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
    serialize([subject_id])
    controller_id = lock_subject(subject_id).controller_id
    for lock in locks.blocking(subject_id=subject_id):
        raise ShredBlocked(ground=lock.ground, lock=str(lock.id))
    _supersede(subject_id, actor=actor, now=now)
    shredding = Shredding.objects.create(
        erasure_id=erasure_id,
        controller_id=controller_id,
        subject_id=subject_id,
        state=ShreddingState.FENCED,
        fenced_at=now,
        drain_until=now + drain_time(),
        open_leases=open_leases,
    )
    # Those that are gone too: the erasure reads every share of the subject and attests it.
    shares = KeyShare.objects.filter(subject_id=subject_id)
    ShreddingShare.objects.bulk_create(
        ShreddingShare(shredding=shredding, share=share, was_live=share.state == ShareState.LIVE)
        for share in shares
    )
    shares.exclude(state__in=[ShareState.DESTROYED, ShareState.ABSENT]).update(
        state=ShareState.RETIRED, retired_at=now
    )
    Subject.objects.filter(id=subject_id).update(state=SubjectState.FENCED, erasure_id=erasure_id)
    effects.enqueue(
        kind="vault.shred",
        key=str(erasure_id),
        payload={"erasure_id": str(erasure_id)},
        now=now,
        not_before=shredding.drain_until,
    )
    note("fenced", [shredding], now=now, actor=actor)
    return shredding


@requires_unit_of_work
def _supersede(subject_id: UUID, *, actor: Actor, now: datetime) -> None:
    """Take back what has begun for one key group: the erasure destroys all of them."""
    begun = Shredding.objects.filter(subject_id=subject_id, state__in=list(CANCELLABLE))
    for erasure_id in begun.values_list("erasure_id", flat=True):
        locks.cancel(erasure_id=erasure_id, actor=actor, now=now)


@requires_unit_of_work
def serialize(subject_ids: Sequence[UUID]) -> None:
    """Order us against lock changes, before any row's lock, as whoever places a lock does."""
    found = Subject.objects.filter(id__in=subject_ids).order_by("controller_id")
    for controller_id in found.values_list("controller_id", flat=True).distinct():
        locks.serialize(controller_id, exclusive=False)


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


@requires_unit_of_work
def move(
    rows: Sequence[Shredding],
    state: ShreddingState,
    *,
    now: datetime,
    also: Sequence[str] = (),
    details: Mapping[UUID, Mapping[str, int]] | None = None,
) -> None:
    """Write a step's marker on each; the last thing the step does. `also` names more columns."""
    stamp = f"{state.name.lower()}_at"
    for row in rows:
        require_shredding_move(row.state, state)
        row.state = state
        setattr(row, stamp, now)
    Shredding.objects.bulk_update(rows, ["state", stamp, *also], batch_size=500)
    note(state.name.lower(), rows, now=now, details=details)


@requires_unit_of_work
def locked(erasure_ids: Sequence[UUID], state: ShreddingState) -> list[Shredding]:
    """The shreddings under their own locks; those past `state`, or held, are left out."""
    rows = Shredding.objects.select_for_update().filter(RUNNABLE, erasure_id__in=erasure_ids)
    return list(rows.filter(state=state).order_by("erasure_id"))


def due(*, now: datetime, limit: int) -> list[UUID]:
    """Erasures that the eraser may go on with, oldest first."""
    rows: QuerySet[Shredding] = Shredding.objects.filter(RUNNABLE).filter(
        Q(state__in=[ShreddingState.DRAINED, ShreddingState.ORDERED, ShreddingState.KEYS_DESTROYED])
        | Q(state=ShreddingState.FENCED, drain_until__lte=now)
    )
    return list(rows.order_by("fenced_at").values_list("erasure_id", flat=True)[:limit])


def finished(erasure_ids: Sequence[UUID]) -> list[UUID]:
    """Those of which the eraser has nothing left to do."""
    rows = Shredding.objects.filter(erasure_id__in=erasure_ids).exclude(state__in=UNFINISHED)
    return list(rows.values_list("erasure_id", flat=True))


@no_open_transaction
def drain(*, erasure_ids: Sequence[UUID], now: datetime) -> None:
    """Mark the drain as over for those whose `drain_until` has passed."""
    with unit_of_work():
        rows = [r for r in locked(erasure_ids, ShreddingState.FENCED) if now >= r.drain_until]
        move(rows, ShreddingState.DRAINED, now=now)


@no_open_transaction
def order(*, erasure_ids: Sequence[UUID], now: datetime) -> None:
    """Pass the point of no return, under the subjects' locks, after checking locks once more.

    Those that a lock forbids stay where they are.
    """
    with unit_of_work():
        of_batch = Shredding.objects.filter(erasure_id__in=erasure_ids, state="drained")
        subject_ids = [row.subject_id for row in of_batch if row.subject_id is not None]
        serialize(subject_ids)
        list(Subject.objects.select_for_update().filter(id__in=subject_ids).order_by("id"))
        blocked = locks.blocked(erasure_ids=erasure_ids)
        rows = locked(erasure_ids, ShreddingState.DRAINED)
        free = [row for row in rows if row.subject_id is not None and row.erasure_id not in blocked]
        move(free, ShreddingState.ORDERED, now=now)
        destructions.intend(free, now=now)
