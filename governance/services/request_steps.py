"""What every act on a request has in common: lock, check, decide, move on, record."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from core import audit, idempotency, ids
from core.actors import Actor
from core.errors import Conflict, NotFound, PreconditionFailed
from core.ids import PublicId
from core.unit_of_work import requires_unit_of_work
from governance.domain.requests import RequestState, may_move
from governance.errors import PersonNeeded, RoleMissing, SeparationOfDuties
from governance.models import Decision, SubjectRequest
from governance.services import erasure
from vault.domain.states import ShreddingState
from vault.models import Shredding


class RequestNotFound(NotFound):
    """No such request, or another controller's."""

    code = "request-not-found"
    text = "There is no request of yours with this id."


class NotInState(Conflict):
    """The request's state does not allow this act; context names the state."""

    code = "request-state"
    text = "The state of the request does not allow this."


def as_it_stands(request: SubjectRequest, found: Shredding | None = None) -> SubjectRequest:
    """A lock may have undone the fence meanwhile: then the request is blocked, not executing.

    The next release needs an erasure of its own, since the cancelled one stays on record.
    `found` is the erasure's row where the caller has it.
    """
    if request.state == RequestState.EXECUTING:
        found = found or erasure.progress(erasure_id=request.erasure_id)
        if found is not None and found.state == ShreddingState.CANCELLED:
            request.state = SubjectRequest.State.BLOCKED
    return request


def acting(actor: Actor, roles: Sequence[str]) -> Actor:
    """The person in the first of `roles` that they hold, which is what evidence names.

    Raises PersonNeeded, RoleMissing.
    """
    if actor.person_id is None:
        raise PersonNeeded
    held = actor.role.split("+")
    for role in roles:
        if role in held:
            return replace(actor, role=role)
    raise RoleMissing(accepted=", ".join(roles))


@requires_unit_of_work
def locked(controller_id: UUID, request_id: UUID) -> SubjectRequest:
    """The request, locked until commit. Raises RequestNotFound."""
    request = (
        SubjectRequest.objects.select_for_update()
        .filter(id=request_id, controller_id=controller_id)
        .first()
    )
    if request is None:
        raise RequestNotFound
    return as_it_stands(request)


def is_replay(
    request: SubjectRequest, act: Decision.Act, actor: Actor, expected_version: int
) -> bool:
    """Whether this very act, by this person on this version, is the last that was done."""
    last = request.decisions.order_by("-at", "-id").first()
    return (
        last is not None
        and last.act == act
        and last.person_id == actor.person_id
        and request.version == expected_version + 1
    )


def check(request: SubjectRequest, to: RequestState, expected_version: int) -> None:
    """Raise PreconditionFailed for a stale version, NotInState for an illegal move."""
    if request.version != expected_version:
        raise PreconditionFailed(version=request.version)
    if not may_move(request.state, to):
        raise NotInState(state=request.state)


def require_another(request: SubjectRequest, actor: Actor, *acts: Decision.Act) -> None:
    """Nobody takes two steps: drafter of any draft, approver, releaser are different persons."""
    if actor.person_id in request.decisions.filter(act__in=acts).values_list(
        "person_id", flat=True
    ):
        raise SeparationOfDuties


@requires_unit_of_work
def decide(
    request: SubjectRequest,
    act: Decision.Act,
    state: RequestState,
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """Keep who decided what, move the request on, record it."""
    if actor.person_id is None:
        raise PersonNeeded
    event_id = record(_WORDS[act], request, actor=actor, now=now)
    Decision.objects.create(
        id=ids.new_time_ordered(),
        request=request,
        act=act,
        outcome=Decision.Outcome.ERASE,
        person_id=actor.person_id,
        actor_id=actor.id,
        role=actor.role,
        ground=request.ground,
        at=now,
        event_id=event_id,
    )
    move(request, state)


_WORDS = {
    Decision.Act.DRAFT: "drafted",
    Decision.Act.APPROVAL: "approved",
    Decision.Act.RELEASE: "released",
    Decision.Act.WITHDRAWAL: "withdrawn",
}


@requires_unit_of_work
def move(request: SubjectRequest, state: RequestState) -> None:
    """Set the state and raise the version that ETags show."""
    request.state = SubjectRequest.State(state.value)
    request.version += 1
    request.save(update_fields=["state", "version", "ground", "erasure_id"])
    idempotency.settle(resource_id=ids.format(PublicId.REQUEST, request.id))


def record(step: str, request: SubjectRequest, *, actor: Actor, now: datetime) -> UUID:
    """Record that the request was `step`, by erasure id and never by trail; the event's id."""
    return audit.record(
        action=f"governance.request.{step}",
        actor=actor,
        controller_id=request.controller_id,
        now=now,
        erasure_id=request.erasure_id,
        details={
            "request": ids.format(PublicId.REQUEST, request.id),
            "kind": request.kind,
            "ground": request.ground,
        },
    )
