"""Mass erasures: drafted, approved and released by three people, then worked off in batches.

The case counts people and names none. What a mass act does to each of them is in `mass_running`.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError
from django.db.models import Count

from accounts.models import APIClient
from accounts.models.client import ClientKind
from core import audit, effects, idempotency, ids
from core.actors import Actor
from core.errors import Conflict, NotFound, PreconditionFailed
from core.ids import PublicId
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from governance.domain.law import ErasureGround
from governance.domain.mass import MassKind, MassState, may_move
from governance.errors import PersonNeeded, SeparationOfDuties
from governance.models import Decision, MassAct, MassDecision, SubjectRequest
from governance.services.request_steps import acting
from vault.services import sources

_RUN = "governance.mass-act"
_DRAFTERS = ("analyst", "compliance-officer")
_APPROVERS = ("compliance-officer",)
_RELEASERS = ("key-custodian",)


class MassActNotFound(NotFound):
    """No such act, or another controller's."""

    code = "mass-act-not-found"
    text = "There is no mass act of yours with this id."


class MassActExists(Conflict):
    """An act of this kind on the same source or purpose is not over yet."""

    code = "mass-act-exists"
    text = "An act of this kind on it is under way."


class MassActState(Conflict):
    """The act's state does not allow this step; context names the state."""

    code = "mass-act-state"
    text = "The state of the mass act does not allow this."


class SourceNotFound(NotFound):
    """No such source, or another controller's."""

    code = "source-not-found"
    text = "There is no source of yours with this id."


def get(*, controller_id: UUID, mass_act_id: UUID) -> MassAct:
    """The act as it stands. Raises MassActNotFound, also when not yours."""
    found = MassAct.objects.filter(id=mass_act_id, controller_id=controller_id).first()
    if found is None:
        raise MassActNotFound
    return found


def listed(*, controller_id: UUID, after: UUID | None, limit: int) -> list[MassAct]:
    """A page of the controller's acts, oldest first."""
    rows = MassAct.objects.filter(controller_id=controller_id).prefetch_related("decisions")
    if after is not None:
        rows = rows.filter(id__gt=after)
    return list(rows.order_by("id")[:limit])


def decisions(mass_act: MassAct) -> list[MassDecision]:
    """The acts of decision on it, oldest first."""
    return sorted(mass_act.decisions.all(), key=lambda decision: (decision.at, decision.id))


def erasures(mass_acts: Sequence[MassAct]) -> dict[UUID, dict[str, int]]:
    """How many requests that each act made stand in which state."""
    rows = SubjectRequest.objects.filter(mass_act_id__in=[row.id for row in mass_acts])
    found: dict[UUID, dict[str, int]] = {row.id: {} for row in mass_acts}
    for mass_act_id, state, count in rows.values_list("mass_act_id", "state").annotate(Count("id")):
        if mass_act_id is not None:
            found[mass_act_id][state] = count
    return found


def requests(*, mass_act: MassAct, after: UUID | None, limit: int) -> list[SubjectRequest]:
    """A page of the requests that the act made, oldest first."""
    rows = SubjectRequest.objects.filter(mass_act_id=mass_act.id)
    if after is not None:
        rows = rows.filter(id__gt=after)
    return list(rows.order_by("id").prefetch_related("decisions")[:limit])


@no_open_transaction
def draft(
    *, controller_id: UUID, source_id: UUID, ground: ErasureGround, actor: Actor, now: datetime
) -> MassAct:
    """Propose to erase everybody of a source (analyst or compliance officer).

    Raises PersonNeeded, RoleMissing, SourceNotFound, MassActExists.
    """
    actor = acting(actor, _DRAFTERS)
    own = APIClient.objects.filter(controller_id=controller_id, kind=ClientKind.SOURCE)
    if not own.filter(id=source_id).exists():
        raise SourceNotFound(field="source_id")
    people, shared = sources.count(controller_id=controller_id, source_id=source_id)
    mass_act = MassAct(
        controller_id=controller_id,
        kind=MassKind.ERASE_SOURCE,
        scope_id=source_id,
        state=MassState.DRAFTED,
        ground=ground,
        expected={"people": people, "other-source": shared},
        created_at=now,
    )
    try:
        with unit_of_work():
            mass_act.save(force_insert=True)
            _decide(mass_act, Decision.Act.DRAFT, actor=actor, now=now)
    except IntegrityError as error:
        raise MassActExists(field="source_id") from error
    return mass_act


@no_open_transaction
def approve(
    *, controller_id: UUID, mass_act_id: UUID, expected_version: int, actor: Actor, now: datetime
) -> MassAct:
    """Approve the draft (a compliance officer other than its drafter).

    Raises MassActNotFound, PersonNeeded, RoleMissing, PreconditionFailed, MassActState,
    SeparationOfDuties.
    """
    actor = acting(actor, _APPROVERS)
    with unit_of_work():
        mass_act = _locked(controller_id, mass_act_id)
        if _is_replay(mass_act, Decision.Act.APPROVAL, actor, expected_version):
            return mass_act
        _check(mass_act, MassState.APPROVED, expected_version)
        _require_another(mass_act, actor)
        _move(mass_act, MassState.APPROVED)
        _decide(mass_act, Decision.Act.APPROVAL, actor=actor, now=now)
    return mass_act


@no_open_transaction
def release(
    *, controller_id: UUID, mass_act_id: UUID, expected_version: int, actor: Actor, now: datetime
) -> MassAct:
    """Let the erasures begin (a key custodian, neither drafter nor approver).

    Concerns who is there now: people whom the source brings later are not erased. Raises as
    `approve`.
    """
    actor = acting(actor, _RELEASERS)
    with unit_of_work():
        mass_act = _locked(controller_id, mass_act_id)
        if _is_replay(mass_act, Decision.Act.RELEASE, actor, expected_version):
            return mass_act
        _check(mass_act, MassState.RUNNING, expected_version)
        _require_another(mass_act, actor)
        mass_act.upto = sources.last(controller_id=controller_id, source_id=mass_act.scope_id)
        mass_act.started_at = now
        _move(mass_act, MassState.RUNNING)
        _decide(mass_act, Decision.Act.RELEASE, actor=actor, now=now)
        enqueue(mass_act, now=now)
    return mass_act


@no_open_transaction
def withdraw(
    *, controller_id: UUID, mass_act_id: UUID, expected_version: int, actor: Actor, now: datetime
) -> MassAct:
    """Give the draft up; possible until it is released.

    Raises MassActNotFound, PersonNeeded, RoleMissing, PreconditionFailed, MassActState.
    """
    actor = acting(actor, _DRAFTERS)
    with unit_of_work():
        mass_act = _locked(controller_id, mass_act_id)
        if mass_act.state == MassState.WITHDRAWN:
            return mass_act
        _check(mass_act, MassState.WITHDRAWN, expected_version)
        mass_act.ended_at = now
        _move(mass_act, MassState.WITHDRAWN)
        _decide(mass_act, Decision.Act.WITHDRAWAL, actor=actor, now=now)
    return mass_act


@requires_unit_of_work
def enqueue(mass_act: MassAct, *, now: datetime) -> None:
    """Ask for the act to be worked off."""
    effects.enqueue(
        kind=_RUN, key=str(mass_act.id), payload={"mass_act_id": str(mass_act.id)}, now=now
    )


@requires_unit_of_work
def record(step: str, mass_act: MassAct, *, actor: Actor, now: datetime, **counts: int) -> UUID:
    """Record a step of the act, which names nobody, and return the event's id."""
    return audit.record(
        action=f"governance.mass-act.{step}",
        actor=actor,
        controller_id=mass_act.controller_id,
        now=now,
        details={
            "mass_act": ids.format(PublicId.MASS_ACT, mass_act.id),
            "kind": str(mass_act.kind),
            "scope": str(mass_act.scope_id),
            **counts,
        },
    )


@requires_unit_of_work
def _locked(controller_id: UUID, mass_act_id: UUID) -> MassAct:
    """An erasure, locked until commit; a retirement has no decisions."""
    rows = MassAct.objects.select_for_update().filter(kind=MassKind.ERASE_SOURCE)
    found = rows.filter(id=mass_act_id, controller_id=controller_id).first()
    if found is None:
        raise MassActNotFound
    return found


def _is_replay(mass_act: MassAct, act: Decision.Act, actor: Actor, expected_version: int) -> bool:
    """Whether this very act, by this person on this version, is the last that was done."""
    last = mass_act.decisions.order_by("-at", "-id").first()
    return (
        last is not None
        and last.act == act
        and last.person_id == actor.person_id
        and mass_act.version == expected_version + 1
    )


def _check(mass_act: MassAct, to: MassState, expected_version: int) -> None:
    if mass_act.version != expected_version:
        raise PreconditionFailed(version=mass_act.version)
    if not may_move(mass_act.state, to):
        raise MassActState(state=mass_act.state)


def _require_another(mass_act: MassAct, actor: Actor) -> None:
    if actor.person_id in mass_act.decisions.values_list("person_id", flat=True):
        raise SeparationOfDuties


@requires_unit_of_work
def _move(mass_act: MassAct, state: MassState) -> None:
    mass_act.state = state
    mass_act.version += 1
    mass_act.save(update_fields=["state", "version", "upto", "started_at", "ended_at"])


_WORDS = {
    Decision.Act.DRAFT: "drafted",
    Decision.Act.APPROVAL: "approved",
    Decision.Act.RELEASE: "released",
    Decision.Act.WITHDRAWAL: "withdrawn",
}


@requires_unit_of_work
def _decide(mass_act: MassAct, act: Decision.Act, *, actor: Actor, now: datetime) -> None:
    if actor.person_id is None:
        raise PersonNeeded
    people = mass_act.expected.get("people", 0)
    MassDecision.objects.create(
        mass_act=mass_act,
        act=act,
        person_id=actor.person_id,
        actor_id=actor.id,
        role=actor.role,
        at=now,
        event_id=record(_WORDS[act], mass_act, actor=actor, now=now, people=people),
    )
    idempotency.settle(resource_id=ids.format(PublicId.MASS_ACT, mass_act.id))
