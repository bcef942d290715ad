"""The erasure machine up to its point of no return: FENCED, DRAINED, ORDERED.

`fence` is called by the room above in its own unit of work; the later steps are run by the
eraser process through the effect `vault.shred`, for many erasures at once, each from whatever
state a crash left behind. Every step is idempotent and writes its marker last.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from core.actors import Actor
from core.errors import NotFound
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault.domain.states import ShreddingState, require_shredding_move
from vault.models import Shredding, Subject
from vault.services import destructions, locks
from vault.services.fencing import ERASER, drain_time, fence, note, serialize

#: States in which the eraser still has something to do.
UNFINISHED = (
    ShreddingState.FENCED,
    ShreddingState.DRAINED,
    ShreddingState.ORDERED,
    ShreddingState.KEYS_DESTROYED,
)
#: The columns of a row that the steps look at.
_STEPPED = ("erasure_id", "controller_id", "subject_id", "scope", "group", "state", "drain_until")
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


@requires_unit_of_work
def move(
    rows: Sequence[Shredding],
    state: ShreddingState,
    *,
    now: datetime,
    actor: Actor = ERASER,
    details: Mapping[UUID, Mapping[str, int]] | None = None,
) -> None:
    """Write a step's marker on each; the last thing the step does."""
    if not rows:
        return
    require_moves(rows, state)
    stamp = f"{state.name.lower()}_at"
    moved = Shredding.objects.filter(erasure_id__any=[row.erasure_id for row in rows])
    moved.update(**{"state": state, stamp: now})
    for row in rows:
        row.state = state
        setattr(row, stamp, now)
    note(state.name.lower(), rows, now=now, actor=actor, details=details)


def require_moves(rows: Sequence[Shredding], state: ShreddingState) -> None:
    """Raise IllegalMove unless each of `rows` may move to `state`."""
    for old in {row.state for row in rows}:
        require_shredding_move(old, state)


@requires_unit_of_work
def locked(erasure_ids: Sequence[UUID], state: ShreddingState) -> list[Shredding]:
    """The shreddings under their own locks; those past `state`, or held, are left out."""
    rows = Shredding.objects.select_for_update().filter(RUNNABLE, erasure_id__any=erasure_ids)
    return list(rows.filter(state=state).order_by("erasure_id").only(*_STEPPED))


def due(*, now: datetime, limit: int) -> list[UUID]:
    """Erasures that the eraser may go on with, oldest first."""
    rows = Shredding.objects.filter(RUNNABLE).filter(
        Q(state__in=[ShreddingState.DRAINED, ShreddingState.ORDERED, ShreddingState.KEYS_DESTROYED])
        | Q(state=ShreddingState.FENCED, drain_until__lte=now)
    )
    return list(rows.order_by("fenced_at").values_list("erasure_id", flat=True)[:limit])


def to_verify(*, limit: int) -> list[UUID]:
    """Erasures that wait for the attester, oldest first."""
    rows = Shredding.objects.filter(state=ShreddingState.SWEPT)
    return list(rows.order_by("fenced_at").values_list("erasure_id", flat=True)[:limit])


def verified(erasure_ids: Sequence[UUID]) -> list[UUID]:
    """Those of which the attester has nothing left to do."""
    rows = Shredding.objects.filter(erasure_id__any=erasure_ids)
    rows = rows.filter(state__in=[ShreddingState.VERIFIED, ShreddingState.BACKUP_CLEAR])
    return list(rows.values_list("erasure_id", flat=True))


def finished(erasure_ids: Sequence[UUID]) -> list[UUID]:
    """Those of which the eraser has nothing left to do."""
    rows = Shredding.objects.filter(erasure_id__any=erasure_ids).exclude(state__in=UNFINISHED)
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
        of_batch = Shredding.objects.filter(
            erasure_id__any=erasure_ids, state=ShreddingState.DRAINED, subject__isnull=False
        )
        subject_ids = list(of_batch.values_list("subject_id", flat=True))
        serialize(subject_ids)
        subjects = Subject.objects.select_for_update().filter(id__any=subject_ids)
        list(subjects.order_by("id").values_list("id", flat=True))
        blocked = locks.blocked(erasure_ids=erasure_ids)
        rows = locked(erasure_ids, ShreddingState.DRAINED)
        free = [row for row in rows if row.subject_id is not None and row.erasure_id not in blocked]
        move(free, ShreddingState.ORDERED, now=now)
        destructions.intend(free, now=now)


__all__ = [
    "ERASER",
    "RUNNABLE",
    "UNFINISHED",
    "ErasureNotFound",
    "drain",
    "drain_time",
    "due",
    "fence",
    "finished",
    "get",
    "locked",
    "move",
    "note",
    "order",
    "require_moves",
    "serialize",
    "to_verify",
    "verified",
]
