"""Mass acts worked off in batches: each commits what it did together with how far it has come.

So a run may end anywhere and another goes on from there, two at once take turns, and nobody is
acted on twice.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings

from core import audit, failpoints, ids
from core.actors import Actor
from core.copying import copy_in
from core.ids import PublicId
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from governance.domain.law import Channel
from governance.domain.mass import Left, MassKind, MassState
from governance.models import Decision, MassAct, MassDecision, SubjectRequest
from governance.services import erasure, mass_acts
from governance.services.requests import ERASURE, due
from vault.errors import ShredBlocked
from vault.models import Alias, Removal, Shredding, Subject
from vault.services import fencing, gate, grants, sources
from vault.services.fencing import Fence
from vault.services.grants import Withdrawal

#: People of one commit.
BATCH: Final = 500
#: After this part of an effect's lease no further batch is begun.
_PART: Final = 4
_DECISION: Final = {
    "id": "uuid",
    "request_id": "uuid",
    "act": "text",
    "outcome": "text",
    "person_id": "uuid",
    "actor_id": "text",
    "role": "text",
    "ground": "text",
    "at": "timestamptz",
    "event_id": "uuid",
}


@no_open_transaction
def run(*, mass_act_id: UUID, clock: Callable[[], datetime]) -> bool:
    """Work batches off for a while; True when there is more to do.

    Raises RestoreReplayRequired for an erasure while the gate is closed. What only takes away
    goes on.
    """
    stop_at = clock() + settings.LETHE_EFFECT_LEASE / _PART
    while _batch(mass_act_id, now=clock()):
        failpoints.reach("governance.mass-act.batch-done")
        if clock() > stop_at:
            return True
    return False


def _batch(mass_act_id: UUID, *, now: datetime) -> bool:
    """One batch; False when the act is over."""
    with unit_of_work():
        mass_act = MassAct.objects.select_for_update().get(id=mass_act_id)
        if mass_act.state != MassState.RUNNING:
            return False
        if mass_act.kind == MassKind.ERASE_SOURCE:
            gate.require_open()
            came = _erase(mass_act, now=now)
        else:
            came = _withdraw(mass_act, now=now)
        if came is None:
            _end(mass_act, now=now)
        else:
            mass_act.done += came.pop("", 0)
            mass_act.left = dict(Counter(mass_act.left) + came)
        mass_act.save(update_fields=["state", "ended_at", "done", "left", "cursor"])
        failpoints.reach("governance.mass-act.before-commit")
    return came is not None


@requires_unit_of_work
def _end(mass_act: MassAct, *, now: datetime) -> None:
    mass_act.state, mass_act.ended_at = MassState.DONE, now
    left = sum(mass_act.left.values())
    actor = Actor("process:worker", "process", mass_act.controller_id)
    mass_acts.record("ended", mass_act, actor=actor, now=now, done=mass_act.done, left=left)


@requires_unit_of_work
def _withdraw(mass_act: MassAct, *, now: datetime) -> Counter[str] | None:
    """Take the purpose's ground off the next people; how many, and why not; None at the end."""
    after = UUID(mass_act.cursor) if mass_act.cursor else UUID(int=0)
    aliases = Alias.objects.filter(
        purpose_id=mass_act.scope_id, ground__isnull=False, id__gt=after
    ).order_by("id")
    held = list(aliases.values_list("id", "subject_id")[:BATCH])
    if not held:
        return None
    mass_act.cursor = str(held[-1][0])
    done = grants.withdraw_many(
        withdrawals=[Withdrawal(subject, mass_act.scope_id, now) for _, subject in held],
        reason=Removal.Reason.WITHDRAWN,
        now=now,
    )
    ended = [subject for (_, subject), one in zip(held, done, strict=True) if one is True]
    _note_withdrawals(mass_act, ended, now=now)
    why = {True: "", False: Left.WITHDRAWN.value}
    return Counter(why[one] if isinstance(one, bool) else Left.ERASED.value for one in done)


@requires_unit_of_work
def _note_withdrawals(mass_act: MassAct, subject_ids: Sequence[UUID], *, now: datetime) -> None:
    """In each person's own history: their consent was not what ended."""
    trails = Subject.objects.filter(id__any=subject_ids, trail_id__isnull=False)
    audit.record_many(
        [
            audit.Event(
                action="governance.purpose.ended",
                actor=Actor("process:worker", "process", mass_act.controller_id),
                controller_id=mass_act.controller_id,
                now=now,
                trail_id=trail_id,
                details={"purpose": str(mass_act.scope_id), "mass_act": str(mass_act.id)},
            )
            for trail_id in trails.order_by("id").values_list("trail_id", flat=True)
        ]
    )


@requires_unit_of_work
def _erase(mass_act: MassAct, *, now: datetime) -> Counter[str] | None:
    """Fence the source's next people; how many, and why not; None at the end."""
    people = sources.page(
        controller_id=mass_act.controller_id,
        source_id=mass_act.scope_id,
        after=int(mass_act.cursor or 0),
        upto=mass_act.upto,
        limit=BATCH,
    )
    if not people:
        return None
    mass_act.cursor = str(people[-1].position)
    subject_ids = [one.subject_id for one in people if not one.is_shared]
    came = Counter({Left.OTHER_SOURCE.value: len(people) - len(subject_ids)})
    # Whoever opens a request holds the subject's lock: from here on there are no more.
    fencing.serialize(subject_ids)
    grants.lock_subjects(subject_ids)
    asked = _asked(subject_ids)
    came[Left.OWN_REQUEST.value] += len(asked)
    wanted = [subject_id for subject_id in subject_ids if subject_id not in asked]
    leases = erasure.open_leases_many(wanted, now=now)
    decided = list(mass_act.decisions.order_by("at", "id"))
    answers = fencing.fence_many(
        fences=[Fence(id_, ids.new_random(), leases.get(id_, 0)) for id_ in wanted],
        actor=_releaser(mass_act, decided),
        now=now,
    )
    _open_requests(
        mass_act, [one for one in answers if isinstance(one, Shredding)], decided, now=now
    )
    for answer in answers:
        came[_outcome(answer)] += 1
    return +came


def _outcome(answer: Shredding | fencing.Refusal) -> str:
    """Empty for a fence; else why there is none."""
    if isinstance(answer, Shredding):
        return ""
    if isinstance(answer, ShredBlocked):
        return str(answer.context["ground"])
    return Left.ERASED.value


def _asked(subject_ids: Sequence[UUID]) -> set[UUID]:
    """Those whose own request for erasure is under way: it has its procedure and deadline."""
    rows = SubjectRequest.objects.filter(subject_id__any=subject_ids, kind=ERASURE)
    found = rows.exclude(state__in=SubjectRequest.CLOSED).values_list("subject_id", flat=True)
    return {subject_id for subject_id in found if subject_id is not None}


def _releaser(mass_act: MassAct, decided: Sequence[MassDecision]) -> Actor:
    released = [one for one in decided if one.act == Decision.Act.RELEASE][-1]
    return Actor(
        released.actor_id, released.role, mass_act.controller_id, person_id=released.person_id
    )


@requires_unit_of_work
def _open_requests(
    mass_act: MassAct,
    fenced: Sequence[Shredding],
    decided: Sequence[MassDecision],
    *,
    now: datetime,
) -> None:
    """Give each erasure what one that was asked for has: a request, and who decided it."""
    due_on = due(mass_act.controller_id, mass_act.created_at)
    rows = [
        SubjectRequest(
            controller_id=mass_act.controller_id,
            kind=ERASURE,
            subject_id=one.subject_id,
            erasure_id=one.erasure_id,
            state=SubjectRequest.State.EXECUTING,
            ground=mass_act.ground,
            channel=Channel.CONTROLLER,
            received_at=mass_act.created_at,
            recorded_at=now,
            recorded_by=decided[0].actor_id,
            due_on=due_on,
            mass_act_id=mass_act.id,
        )
        for one in fenced
    ]
    SubjectRequest.objects.bulk_create(rows, batch_size=BATCH)
    copy_in(
        table="governance_decision",
        columns=_DECISION,
        rows=[
            (ids.new_time_ordered(), row.id, one.act, Decision.Outcome.ERASE.value, one.person_id,
             one.actor_id, one.role, mass_act.ground, one.at, one.event_id)
            for row in rows
            for one in decided
        ],
    )  # fmt: skip
    _note_releases(mass_act, rows, actor=_releaser(mass_act, decided), now=now)


@requires_unit_of_work
def _note_releases(
    mass_act: MassAct, rows: Sequence[SubjectRequest], *, actor: Actor, now: datetime
) -> None:
    details: Mapping[str, str] = {
        "kind": ERASURE,
        "ground": str(mass_act.ground),
        "mass_act": ids.format(PublicId.MASS_ACT, mass_act.id),
    }
    audit.record_many(
        [
            audit.Event(
                action="governance.request.released",
                actor=actor,
                controller_id=mass_act.controller_id,
                now=now,
                erasure_id=row.erasure_id,
                details={**details, "request": ids.format(PublicId.REQUEST, row.id)},
            )
            for row in rows
        ]
    )
