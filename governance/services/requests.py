"""Requests of data subjects: received, drafted, approved, released; each act by another person.

Who acts is told apart by person, not by account. Events here carry the erasure id and never the
trail: an event with both would lead from a closed case back to what the sweep cut.
"""

from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import IntegrityError

from accounts.models import Controller
from core import idempotency, ids
from core.actors import Actor
from core.errors import Conflict, InvalidInput, Withheld
from core.ids import PublicId
from core.unit_of_work import unit_of_work
from governance.domain.deadlines import due_on
from governance.domain.law import Channel, ErasureGround
from governance.domain.requests import RequestState
from governance.models import Decision, SubjectRequest
from governance.services import erasure
from governance.services import request_steps as steps
from governance.services.calendars import holidays_of
from vault.errors import ShredBlocked
from vault.services import grants, subjects

ERASURE = SubjectRequest.Kind.ERASURE.value
_DRAFTERS = ("analyst", "compliance-officer")
_APPROVERS = ("compliance-officer",)
_RELEASERS = ("key-custodian",)


class UnsupportedKind(InvalidInput):
    """Requests of this kind have no procedure yet, so none is promised."""

    code = "unsupported-kind"
    text = "Requests of this kind are not supported yet; `erasure` is."


class UnsupportedOutcome(InvalidInput):
    """A refusal needs a letter with reasons and remedies (Article 12(4)); letters are not built."""

    code = "unsupported-outcome"
    text = "Only the outcome `erase` can be decided so far."


class ReceivedInFuture(InvalidInput):
    """A request cannot have arrived later than now."""

    code = "received-in-future"
    text = "The time of receipt lies in the future."


class RequestExists(Conflict):
    """An open request of this kind concerns the subject already; the earlier receipt counts."""

    code = "request-exists"
    text = "An open request of this kind exists for this data subject."


class ErasureLocked(Withheld):
    """A legal hold or retention floor forbids the destruction; context names its ground."""

    code = "shred-locked"
    text = "A legal hold or retention floor forbids this erasure for now."


def open_request(
    *,
    controller_id: UUID,
    kind: str,
    subject_id: UUID,
    ground: ErasureGround,
    channel: Channel,
    received_at: datetime,
    actor: Actor,
    now: datetime,
) -> SubjectRequest:
    """Receive a request. `received_at` is its arrival at the controller, maybe days ago (R13).

    Raises UnsupportedKind, ReceivedInFuture, SubjectNotFound, SubjectErased, RequestExists.
    """
    if kind != ERASURE:
        raise UnsupportedKind(field="kind")
    if received_at > now:
        raise ReceivedInFuture(field="received_at")
    subjects.require_live(controller_id=controller_id, subject_id=subject_id)
    request = SubjectRequest(
        controller_id=controller_id,
        kind=kind,
        subject_id=subject_id,
        ground=ground,
        channel=channel,
        received_at=received_at,
        recorded_at=now,
        recorded_by=actor.id,
        due_on=due(controller_id, received_at),
    )
    try:
        with unit_of_work():
            grants.lock_subject(subject_id)
            request.save(force_insert=True)
            steps.record("received", request, actor=actor, now=now)
            idempotency.settle(resource_id=ids.format(PublicId.REQUEST, request.id))
    except IntegrityError as error:
        raise RequestExists(field="subject_id") from error
    return request


def due(controller_id: UUID, received_at: datetime) -> date:
    """The last day for what was received then, by the controller's own calendar.

    Its midnight and its country's public holidays count.
    """
    rows = Controller.objects.filter(id=controller_id).values_list("timezone", "country")
    zone, country = rows.first() or ("UTC", "")
    received_on = received_at.astimezone(ZoneInfo(zone)).date()
    return due_on(received_on, is_holiday=holidays_of(country))


def get(*, controller_id: UUID, request_id: UUID) -> SubjectRequest:
    """The request. Raises RequestNotFound, also when not yours."""
    rows = SubjectRequest.objects.filter(id=request_id, controller_id=controller_id)
    request = rows.first()
    if request is None:
        raise steps.RequestNotFound
    return steps.as_it_stands(request)


def listed(*, controller_id: UUID, after: UUID | None, limit: int) -> list[SubjectRequest]:
    """A page of requests, oldest first; those of mass erasures are listed with these."""
    rows = SubjectRequest.objects.filter(controller_id=controller_id, mass_act_id=None)
    if after is not None:
        rows = rows.filter(id__gt=after)
    page = list(rows.order_by("id").prefetch_related("decisions")[:limit])
    found = erasure.progress_many(row.erasure_id for row in page)
    return [steps.as_it_stands(row, found.get(row.erasure_id)) for row in page]


def decisions(request: SubjectRequest) -> list[Decision]:
    """The acts of decision on the request, oldest first."""
    return sorted(request.decisions.all(), key=lambda decision: (decision.at, decision.id))


def draft(
    *,
    controller_id: UUID,
    request_id: UUID,
    outcome: str,
    ground: ErasureGround,
    expected_version: int,
    actor: Actor,
    now: datetime,
) -> SubjectRequest:
    """Propose a decision (analyst or compliance officer); a new draft replaces the last.

    Raises as every act: RequestNotFound, PersonNeeded, RoleMissing, PreconditionFailed,
    NotInState; and UnsupportedOutcome.
    """
    if outcome != Decision.Outcome.ERASE:
        raise UnsupportedOutcome(field="outcome")
    actor = steps.acting(actor, _DRAFTERS)
    with unit_of_work():
        request = steps.locked(controller_id, request_id)
        if steps.is_replay(request, Decision.Act.DRAFT, actor, expected_version):
            return request
        steps.check(request, RequestState.DRAFTED, expected_version)
        request.ground = ground
        steps.decide(request, Decision.Act.DRAFT, RequestState.DRAFTED, actor=actor, now=now)
    return request


def approve(
    *,
    controller_id: UUID,
    request_id: UUID,
    expected_version: int,
    actor: Actor,
    now: datetime,
) -> SubjectRequest:
    """Approve the draft (a compliance officer other than its drafter).

    Raises as `draft`, and SeparationOfDuties.
    """
    actor = steps.acting(actor, _APPROVERS)
    with unit_of_work():
        request = steps.locked(controller_id, request_id)
        if steps.is_replay(request, Decision.Act.APPROVAL, actor, expected_version):
            return request
        steps.check(request, RequestState.APPROVED, expected_version)
        steps.require_another(request, actor, Decision.Act.DRAFT)
        steps.decide(request, Decision.Act.APPROVAL, RequestState.APPROVED, actor=actor, now=now)
    return request


def release(
    *,
    controller_id: UUID,
    request_id: UUID,
    expected_version: int,
    actor: Actor,
    now: datetime,
) -> SubjectRequest:
    """Start the destruction (a key custodian, neither drafter nor approver).

    With this commit no purpose reads the subject any more. Raises as `approve`, SubjectErased,
    and ErasureLocked: then the request stays as it is and the attempt is recorded.
    """
    actor = steps.acting(actor, _RELEASERS)
    try:
        with unit_of_work():
            request = steps.locked(controller_id, request_id)
            if steps.is_replay(request, Decision.Act.RELEASE, actor, expected_version):
                return request
            steps.check(request, RequestState.EXECUTING, expected_version)
            steps.require_another(request, actor, Decision.Act.DRAFT, Decision.Act.APPROVAL)
            if request.subject_id is None:
                raise steps.NotInState(state=request.state)
            if erasure.was_cancelled(request.erasure_id):
                request.erasure_id = ids.new_random()
            erasure.start(request=request, subject_id=request.subject_id, actor=actor, now=now)
            steps.decide(
                request,
                Decision.Act.RELEASE,
                RequestState.EXECUTING,
                actor=actor,
                now=now,
            )
    except ShredBlocked as error:
        _note_refusal(controller_id, request_id, actor=actor, now=now)
        raise ErasureLocked(ground=error.context.get("ground")) from error
    return request


def _note_refusal(controller_id: UUID, request_id: UUID, *, actor: Actor, now: datetime) -> None:
    request = get(controller_id=controller_id, request_id=request_id)
    with unit_of_work():
        steps.record("release-refused", request, actor=actor, now=now)


def withdraw(
    *,
    controller_id: UUID,
    request_id: UUID,
    expected_version: int,
    actor: Actor,
    now: datetime,
) -> SubjectRequest:
    """Take the request back, as the data subject wishes; possible until it is released.

    A program is checked by its scope, before. Raises RequestNotFound, RoleMissing,
    PreconditionFailed, NotInState.
    """
    if actor.person_id is not None:
        actor = steps.acting(actor, _DRAFTERS)
    with unit_of_work():
        request = steps.locked(controller_id, request_id)
        if request.state == RequestState.WITHDRAWN:
            return request
        steps.check(request, RequestState.WITHDRAWN, expected_version)
        if actor.person_id is not None:
            steps.decide(
                request, Decision.Act.WITHDRAWAL, RequestState.WITHDRAWN, actor=actor, now=now
            )
        else:
            steps.move(request, RequestState.WITHDRAWN)
            steps.record("withdrawn", request, actor=actor, now=now)
    return request
