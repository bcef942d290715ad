"""Requests from their receipt to their release or withdrawal, on real PostgreSQL."""

from datetime import timedelta
from uuid import uuid4

import pytest

from core.errors import InvalidInput, PreconditionFailed
from governance.errors import PersonNeeded, RoleMissing, SeparationOfDuties
from governance.models import Decision
from governance.services import requests
from governance.services.request_steps import NotInState, RequestNotFound
from tests.fakes.world import World
from tests.integration.governance.office import GROUND, Office, reread
from vault.errors import SubjectErased


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
