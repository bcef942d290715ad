"""Legal holds and retention floors: locks of vault, and what they do to requests under way.

A hold is a lock that a person of the controller answers for. While the destruction has not been
ordered it undoes the fence; the request is then blocked and may be released again, as another
erasure, once the hold is lifted.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from core import audit, ids
from core.actors import Actor
from core.errors import InvalidInput
from core.ids import PublicId
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from governance.domain.requests import RequestState
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
    except TooLate as error:
        _note_too_late(error, controller_id, ground=ground, actor=actor, now=now)
        raise
    return placed


def lift(*, controller_id: UUID, lock_id: UUID, actor: Actor, now: datetime) -> ShredLock:
    """End a hold; requests stay blocked until a person releases them. Raises LockNotFound."""
    with unit_of_work():
        return locks.lift(controller_id=controller_id, lock_id=lock_id, actor=actor, now=now)


def in_force(*, controller_id: UUID) -> list[ShredLock]:
    """The controller's holds that are not lifted, oldest first."""
    rows = ShredLock.objects.filter(controller_id=controller_id, lifted_at=None)
    return list(rows.order_by("placed_at", "id"))


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
    error: TooLate, controller_id: UUID, *, ground: str, actor: Actor, now: datetime
) -> None:
    """In a unit of work of its own: the refused one left nothing behind."""
    erasure_id = UUID(str(error.context["erasure_id"]))
    with unit_of_work():
        audit.record(
            action="governance.hold.refused",
            actor=actor,
            controller_id=controller_id,
            now=now,
            erasure_id=erasure_id,
            details={"erasure": ids.format(PublicId.ERASURE, erasure_id), "ground": ground},
        )
