"""Legal holds and retention floors: locks of vault, and what they do to requests under way.

A hold is a lock that a person of the controller answers for. While the destruction has not been
ordered it undoes the fence; the request is then blocked and may be released again, as another
erasure, once another person has lifted the hold.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from core import audit, idempotency, ids
from core.actors import Actor
from core.errors import InvalidInput
from core.ids import PublicId
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from governance.domain.requests import RequestState
from governance.errors import SeparationOfDuties
from governance.models import SubjectRequest
from governance.services import categories, purposes
from governance.services import request_steps as steps
from vault.domain.states import SubjectState
from vault.errors import SubjectErased, TooLate
from vault.models import ShredLock
from vault.services import locks, subjects


class ScopeNotYours(InvalidInput):
    """A hold of a whole controller names that controller."""

    code = "scope-not-yours"
    text = "A hold on a whole controller names your own."


@no_open_transaction
def place(
    *,
    controller_id: UUID,
    scope: ShredLock.Scope,
    scope_id: UUID,
    ground: str,
    actor: Actor,
    now: datetime,
) -> locks.Placed:
    """Forbid destruction within `scope` and block the requests whose fences that undoes.

    `ground` is a code, never free text. The caller has checked the role. Raises
    SubjectNotFound, SubjectErased, and TooLate once the destruction was ordered: that refusal
    is recorded.
    """
    _require_own(controller_id, scope, scope_id)
    try:
        with unit_of_work():
            placed = locks.place(
                controller_id=controller_id,
                scope=scope,
                scope_id=scope_id,
                ground=ground,
                actor=actor,
                now=now,
            )
            _block(placed.cancelled, actor=actor, now=now)
            idempotency.settle(resource_id=ids.format(PublicId.LOCK, placed.lock.id))
    except TooLate as error:
        erasure_id = UUID(str(error.context["erasure_id"]))
        _note_too_late(erasure_id, controller_id, ground=ground, actor=actor, now=now)
        raise TooLate(erasure=ids.format(PublicId.ERASURE, erasure_id)) from error
    return placed


@no_open_transaction
def lift(*, controller_id: UUID, lock_id: UUID, actor: Actor, now: datetime) -> ShredLock:
    """End a hold; requests stay blocked until a person releases them.

    The caller has checked the role. Lifting again changes nothing. Raises LockNotFound, and
    SeparationOfDuties for the person who placed it.
    """
    if get(controller_id=controller_id, lock_id=lock_id).placed_by == actor.id:
        raise SeparationOfDuties
    with unit_of_work():
        lock = locks.lift(controller_id=controller_id, lock_id=lock_id, actor=actor, now=now)
        idempotency.settle(resource_id=ids.format(PublicId.LOCK, lock.id))
    return lock


def get(*, controller_id: UUID, lock_id: UUID) -> ShredLock:
    """The hold, lifted or not. Raises LockNotFound, also when not yours."""
    lock = ShredLock.objects.filter(id=lock_id, controller_id=controller_id).first()
    if lock is None:
        raise locks.LockNotFound
    return lock


def in_force(*, controller_id: UUID, after: UUID | None, limit: int) -> list[ShredLock]:
    """A page of the controller's holds that are not lifted, oldest first."""
    rows = ShredLock.objects.filter(controller_id=controller_id, lifted_at=None)
    if after is not None:
        rows = rows.filter(id__gt=after)
    return list(rows.order_by("id")[:limit])


def _require_own(controller_id: UUID, scope: ShredLock.Scope, scope_id: UUID) -> None:
    """A hold that names nothing of the controller would protect nothing, silently."""
    if scope == ShredLock.Scope.SUBJECT:
        _require_not_erased(controller_id, scope_id)
    elif scope == ShredLock.Scope.CATEGORY:
        categories.get(controller_id=controller_id, category_id=scope_id)
    elif scope == ShredLock.Scope.PURPOSE:
        purposes.get(controller_id=controller_id, purpose_id=scope_id)
    elif scope_id != controller_id:
        raise ScopeNotYours(field="scope_id")


def _require_not_erased(controller_id: UUID, subject_id: UUID) -> None:
    subject = subjects.get(controller_id=controller_id, subject_id=subject_id)
    if subject.state == SubjectState.ERASED:
        raise SubjectErased


@requires_unit_of_work
def _block(cancelled: Sequence[UUID], *, actor: Actor, now: datetime) -> None:
    rows = SubjectRequest.objects.select_for_update().filter(
        erasure_id__in=cancelled, state=SubjectRequest.State.EXECUTING
    )
    for request in rows.order_by("id"):
        steps.move(request, RequestState.BLOCKED)
        steps.record("blocked", request, actor=actor, now=now)


def _note_too_late(
    erasure_id: UUID, controller_id: UUID, *, ground: str, actor: Actor, now: datetime
) -> None:
    """In a unit of work of its own: the refused one left nothing behind."""
    with unit_of_work():
        audit.record(
            action="governance.hold.refused",
            actor=actor,
            controller_id=controller_id,
            now=now,
            erasure_id=erasure_id,
            details={"erasure": ids.format(PublicId.ERASURE, erasure_id), "ground": ground},
        )
