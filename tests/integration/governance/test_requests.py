"""A request of erasure from receipt to certificate, on real PostgreSQL."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from contracts.verifier import certificate as verifier
from core import effects, ids, runtime
from core.actors import Actor, process_actor
from core.errors import InvalidInput, PreconditionFailed, ServiceError
from core.ids import PublicId
from core.models import AuditEvent, Effect
from core.unit_of_work import unit_of_work
from governance.adapters.participant import participant
from governance.domain.law import Channel, ErasureGround
from governance.errors import PersonNeeded, RoleMissing, SeparationOfDuties
from governance.models import Certificate, Decision, Disclosure, Lease, SubjectRequest
from governance.services import certificates, requests
from governance.services.request_steps import NotInState, RequestNotFound
from tests.fakes.world import World
from tests.fakes.world import world as make_world
from vault.errors import SubjectErased
from vault.models import Shredding, ShredLock, Subject
from vault.services import locks

GROUND = ErasureGround.B


@dataclass
class Office:
    """Staff of one controller, and the acts on one request."""

    world: World
    people: dict[str, Actor] = field(default_factory=dict)

    def person(self, role: str, person_id: UUID | None = None) -> Actor:
        person_id = person_id or uuid4()
        return Actor(
            ids.format(PublicId.PERSON, person_id), role, self.world.controller_id, person_id
        )

    def staff(self, role: str) -> Actor:
        return self.people.setdefault(role, self.person(role))

    def open(self, subject_id: UUID, **more: object) -> SubjectRequest:
        terms = {
            "controller_id": self.world.controller_id,
            "kind": "erasure",
            "subject_id": subject_id,
            "ground": GROUND,
            "channel": Channel.WEB,
            "received_at": self.world.now,
            "actor": self.world.actor,
            "now": self.world.now,
        }
        return requests.open_request(**(terms | more))  # type: ignore[arg-type]

    def act(
        self, name: str, request: SubjectRequest, actor: Actor, version: int | None = None
    ) -> SubjectRequest:
        more = {"outcome": "erase", "ground": GROUND} if name == "draft" else {}
        current = requests.get(
            controller_id=self.world.controller_id, request_id=request.id
        ).version
        done: SubjectRequest = getattr(requests, name)(
            controller_id=self.world.controller_id,
            request_id=request.id,
            expected_version=current if version is None else version,
            actor=actor,
            now=self.world.now,
            **more,
        )
        return done

    def approved(self, subject_id: UUID) -> SubjectRequest:
        request = self.open(subject_id)
        self.act("draft", request, self.staff("analyst"))
        return self.act("approve", request, self.staff("compliance-officer"))

    def released(self, subject_id: UUID) -> SubjectRequest:
        return self.act("release", self.approved(subject_id), self.staff("key-custodian"))

    def run(self) -> None:
        """Let the eraser and the attester do all that is due."""
        self.world.later(minutes=10)
        for queue in ("shred", "attest", "attest"):
            effects.sweep(queue=queue, now=self.world.now)


@pytest.fixture
def world(transactional_db: None, tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made, runtime.override(participants=[participant()]):
        yield made


@pytest.fixture
def office(world: World) -> Office:
    return Office(world)


def reread(request: SubjectRequest) -> SubjectRequest:
    return SubjectRequest.objects.get(id=request.id)


class TestOpenRequest:
    def test_counts_the_month_from_the_receipt(self, world: World, office: Office) -> None:
        received = world.now - timedelta(days=3)

        request = office.open(world.subject(), received_at=received)

        assert request.state == "received"
        assert timedelta(28) <= request.due_on - received.date() <= timedelta(33)

    @pytest.mark.parametrize("kind", ["access", "rectification", "portability", "nonsense"])
    def test_promises_nothing_for_other_kinds(
        self, world: World, office: Office, kind: str
    ) -> None:
        with pytest.raises(InvalidInput) as caught:
            office.open(world.subject(), kind=kind)

        assert caught.value.code == "unsupported-kind"

    def test_refuses_a_receipt_in_the_future(self, world: World, office: Office) -> None:
        with pytest.raises(requests.ReceivedInFuture):
            office.open(world.subject(), received_at=world.now + timedelta(hours=1))

    def test_keeps_one_open_request_per_subject(self, world: World, office: Office) -> None:
        subject = world.subject()
        office.open(subject)

        with pytest.raises(requests.RequestExists):
            office.open(subject)

    def test_is_gone_for_a_subject_that_was_fenced(self, world: World, office: Office) -> None:
        subject = world.subject()
        office.released(subject)

        with pytest.raises(SubjectErased):
            office.open(subject)


class TestActs:
    def test_need_a_person(self, world: World, office: Office) -> None:
        request = office.open(world.subject())

        with pytest.raises(PersonNeeded):
            office.act("draft", request, world.actor)

        assert not Decision.objects.exists()

    @pytest.mark.parametrize(
        ("act", "role"),
        [
            ("draft", "auditor"),
            ("draft", "key-custodian"),
            ("approve", "analyst"),
            ("approve", "dpo"),
            ("release", "compliance-officer"),
            ("release", "operator"),
        ],
    )
    def test_need_the_role(self, world: World, office: Office, act: str, role: str) -> None:
        request = office.open(world.subject())

        with pytest.raises(RoleMissing):
            office.act(act, request, office.person(role))

    def test_take_three_persons_whatever_their_accounts(self, world: World, office: Office) -> None:
        request = office.open(world.subject())
        all_roles = "analyst+compliance-officer+key-custodian"
        one, two = office.person(all_roles), office.person(all_roles)
        office.act("draft", request, one)
        with pytest.raises(SeparationOfDuties):
            office.act("approve", request, office.person(all_roles, one.person_id))
        office.act("approve", request, two)

        for person in (one, two):
            with pytest.raises(SeparationOfDuties):
                office.act("release", request, office.person(all_roles, person.person_id))
        assert office.act("release", request, office.person(all_roles)).state == "executing"

    def test_come_in_their_order(self, world: World, office: Office) -> None:
        request = office.open(world.subject())

        with pytest.raises(NotInState):
            office.act("approve", request, office.staff("compliance-officer"))
        with pytest.raises(NotInState):
            office.act("release", request, office.staff("key-custodian"))

    def test_on_a_version_that_has_changed_are_refused(self, world: World, office: Office) -> None:
        request = office.open(world.subject())
        office.act("draft", request, office.staff("analyst"))
        office.act("draft", request, office.person("analyst"))

        with pytest.raises(PreconditionFailed):
            office.act("approve", request, office.staff("compliance-officer"), version=2)

    @pytest.mark.parametrize(
        ("act", "role"),
        [("draft", "analyst"), ("approve", "compliance-officer"), ("release", "key-custodian")],
    )
    def test_repeated_by_the_same_person_change_nothing(
        self, world: World, office: Office, act: str, role: str
    ) -> None:
        request = office.released(world.subject()) if act == "release" else None
        request = request or office.open(world.subject())
        if act != "release":
            office.act("draft", request, office.staff("analyst"))
        if act == "approve":
            office.act("approve", request, office.staff("compliance-officer"))
        before, made = reread(request), Decision.objects.count()

        office.act(act, request, office.staff(role), version=before.version - 1)

        assert (reread(request).version, Decision.objects.count()) == (before.version, made)

    def test_of_another_controller_find_nothing(self, world: World, office: Office) -> None:
        request = office.open(world.subject())

        with pytest.raises(RequestNotFound):
            requests.get(controller_id=uuid4(), request_id=request.id)

    def test_promise_no_refusal_without_a_letter(self, world: World, office: Office) -> None:
        request = office.open(world.subject())

        with pytest.raises(requests.UnsupportedOutcome):
            requests.draft(
                controller_id=world.controller_id,
                request_id=request.id,
                outcome="refuse",
                ground=GROUND,
                expected_version=1,
                actor=office.staff("analyst"),
                now=world.now,
            )


class TestWithdraw:
    @pytest.mark.parametrize("state", ["received", "approved"])
    def test_ends_a_request_that_was_not_released(
        self, world: World, office: Office, state: str
    ) -> None:
        subject = world.subject()
        request = office.open(subject) if state == "received" else office.approved(subject)

        assert office.act("withdraw", request, world.actor).state == "withdrawn"
        assert office.open(subject).state == "received"

    def test_comes_too_late_after_the_release(self, world: World, office: Office) -> None:
        request = office.released(world.subject())

        with pytest.raises(NotInState):
            office.act("withdraw", request, office.staff("analyst"))


def place(world: World, subject: UUID) -> locks.Placed:
    with unit_of_work():
        return locks.place(
            controller_id=world.controller_id,
            scope=ShredLock.Scope.SUBJECT,
            scope_id=subject,
            ground="legal-claim",
            actor=world.actor,
            now=world.now,
        )


class TestLock:
    def test_withholds_the_release_and_the_attempt_is_recorded(
        self, world: World, office: Office
    ) -> None:
        subject = world.subject()
        request = office.approved(subject)
        place(world, subject)

        with pytest.raises(requests.ErasureLocked) as caught:
            office.act("release", request, office.staff("key-custodian"))

        assert caught.value.context["ground"] == "legal-claim"
        assert reread(request).state == "approved"
        assert not Shredding.objects.exists()
        assert AuditEvent.objects.filter(action="governance.request.release-refused").exists()

    def test_that_undoes_the_fence_leaves_the_request_blocked_until_released_anew(
        self, world: World, office: Office
    ) -> None:
        subject = world.subject()
        request = office.released(subject)
        lock = place(world, subject).lock
        shown = requests.get(controller_id=world.controller_id, request_id=request.id)
        assert shown.state == "blocked"

        with unit_of_work():
            locks.lift(
                controller_id=world.controller_id, lock_id=lock.id, actor=world.actor, now=world.now
            )
        office.act("release", request, office.staff("key-custodian"))
        office.run()

        assert reread(request).state == "certified"
        assert reread(request).erasure_id != request.erasure_id


class TestErasure:
    def test_ends_in_a_certificate_that_verifies_offline(
        self, world: World, office: Office
    ) -> None:
        subject = world.subject()
        world.record(subject)
        world.consent(subject)
        request = office.released(subject)

        office.run()

        (made,) = certificates.of_erasure(
            controller_id=world.controller_id, erasure_id=reread(request).erasure_id
        )
        report = verifier.examine(json.dumps(certificates.file(made)).encode())
        assert report.verdict == verifier.VALID, report.checks

    def test_leaves_nothing_that_names_the_subject_or_its_trail(
        self, world: World, office: Office
    ) -> None:
        subject = world.subject()
        world.record(subject)
        trail = Subject.objects.get(id=subject).trail_id
        request = office.released(subject)
        office.run()

        assert reread(request).subject_id is None
        events = AuditEvent.objects.filter(erasure_id=request.erasure_id)
        assert events.count() >= 8
        assert not events.exclude(trail_id=None).exists()
        assert not any(
            str(subject) in str(effect.payload) or str(trail) in str(effect.payload)
            for effect in Effect.objects.all()
        )

    def test_turns_disclosures_into_a_counter_of_the_lease(
        self, world: World, office: Office
    ) -> None:
        subject, other = world.subject("ada"), world.subject("bo")
        lease = Lease.objects.create(
            controller_id=world.controller_id,
            purpose_id=world.purpose_id,
            purpose_version_id=uuid4(),
            client_id=uuid4(),
            categories=[],
            fields={},
            opened_at=world.now,
            expires_at=world.now + timedelta(hours=1),
        )
        for who in (subject, subject, other):
            Disclosure.objects.create(
                lease_id=lease.id, trail_id=Subject.objects.get(id=who).trail_id, at=world.now
            )
        office.released(subject)

        office.run()

        assert Disclosure.objects.count() == 1
        assert Lease.objects.get(id=lease.id).subjects_erased == 1

    def test_counts_the_leases_that_were_open_at_the_fence(
        self, world: World, office: Office
    ) -> None:
        subject = world.subject()
        world.consent(subject)
        for hours, purpose in ((1, world.purpose_id), (-1, world.purpose_id), (1, uuid4())):
            Lease.objects.create(
                controller_id=world.controller_id,
                purpose_id=purpose,
                purpose_version_id=uuid4(),
                client_id=uuid4(),
                categories=[],
                fields={},
                opened_at=world.now,
                expires_at=world.now + timedelta(hours=hours),
            )

        request = office.released(subject)

        assert Shredding.objects.get(erasure_id=request.erasure_id).open_leases == 1


class TestCertify:
    def test_issues_once(self, world: World, office: Office) -> None:
        request = office.released(world.subject())
        office.run()
        first = Certificate.objects.get()

        again = certificates.issue(erasure_id=request.erasure_id, now=world.now)

        assert again.id == first.id
        assert Certificate.objects.count() == 1

    def test_waits_for_the_attestation(self, world: World, office: Office) -> None:
        request = office.released(world.subject())

        with pytest.raises(certificates.NotAttested):
            certificates.issue(erasure_id=request.erasure_id, now=world.now)

    def test_tells_of_no_certificate_of_another_controller(
        self, world: World, office: Office
    ) -> None:
        office.released(world.subject())
        office.run()

        with pytest.raises(ServiceError) as caught:
            certificates.get(controller_id=uuid4(), certificate_id=Certificate.objects.get().id)

        assert caught.value.code == "certificate-not-found"

    def test_is_recorded_as_the_attesters_act(self, world: World, office: Office) -> None:
        office.released(world.subject())
        office.run()

        event = AuditEvent.objects.get(action="governance.certificate.issued")
        assert event.actor_id == process_actor("attester").id
        assert event.leaf is not None
