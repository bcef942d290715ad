"""Holds against erasures at every stage, on real PostgreSQL."""

from uuid import UUID, uuid4

import pytest

from core import failpoints
from core.actors import Actor
from core.errors import ServiceError
from core.models import AuditEvent
from core.unit_of_work import unit_of_work
from governance.models import Category, Purpose
from governance.services import holds, requests
from tests.fakes.world import World
from tests.integration.governance.office import Office, reread
from vault.errors import SubjectErased, SubjectNotFound, TooLate
from vault.models import Shredding, ShredLock, Subject
from vault.services import locks

SUBJECT = ShredLock.Scope.SUBJECT


class Stopped(BaseException):
    """Stands for the end of the process: no handler may catch it."""


def stop_after_order(point: str) -> None:
    if point == "vault.shred.after-order":
        raise Stopped


def register(world: World) -> None:
    """The registry's rows of what the world's subjects have: a hold may name only these."""
    Category.objects.create(
        id=world.category.category_id,
        controller_id=world.controller_id,
        code="notes",
        name="Notes",
        schema={"type": "object"},
        created_at=world.now,
    )
    Purpose.objects.create(
        id=world.purpose_id,
        controller_id=world.controller_id,
        code="research",
        name="Research",
        created_at=world.now,
    )


def scopes(world: World, subject: UUID) -> dict[ShredLock.Scope, UUID]:
    register(world)
    return {
        SUBJECT: subject,
        ShredLock.Scope.CATEGORY: world.category.category_id,
        ShredLock.Scope.PURPOSE: world.purpose_id,
        ShredLock.Scope.CONTROLLER: world.controller_id,
    }


def place(world: World, scope_id: UUID, scope: ShredLock.Scope = SUBJECT) -> locks.Placed:
    return holds.place(
        controller_id=world.controller_id,
        scope=scope,
        scope_id=scope_id,
        ground="legal-claim",
        actor=world.actor,
        now=world.now,
    )


def lift(world: World, lock: ShredLock) -> ShredLock:
    another = Actor("psn_another", "dpo", world.controller_id, person_id=uuid4())
    return holds.lift(
        controller_id=world.controller_id, lock_id=lock.id, actor=another, now=world.now
    )


class TestScopes:
    @pytest.mark.parametrize("scope", [s for s in ShredLock.Scope if s != SUBJECT])
    def test_must_be_the_controllers_own(self, world: World, scope: ShredLock.Scope) -> None:
        with pytest.raises(ServiceError):
            place(world, uuid4(), scope)

        assert not ShredLock.objects.exists()


class TestPlace:
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

    @pytest.mark.parametrize("scope", list(ShredLock.Scope))
    def test_blocks_the_requests_whose_fences_it_undoes(
        self, world: World, office: Office, scope: ShredLock.Scope
    ) -> None:
        subject = world.subject()
        world.record(subject)
        world.consent(subject)
        request, other = office.released(subject), office.approved(world.subject("bo"))

        placed = place(world, scopes(world, subject)[scope], scope)

        assert placed.cancelled == (request.erasure_id,)
        after = reread(request)
        assert (after.state, after.version) == ("blocked", request.version + 1)
        assert Subject.objects.get(id=subject).state == "live"
        assert reread(other).state == "approved"
        assert AuditEvent.objects.filter(
            action="governance.request.blocked", erasure_id=request.erasure_id
        ).exists()

    def test_is_too_late_once_the_destruction_is_ordered_and_says_so_in_the_audit(
        self, world: World, office: Office
    ) -> None:
        subject = world.subject()
        request = office.released(subject)
        with failpoints.installed(stop_after_order), pytest.raises(Stopped):
            office.run()

        with pytest.raises(TooLate):
            place(world, subject)

        assert not ShredLock.objects.exists()
        assert reread(request).state == "executing"
        event = AuditEvent.objects.get(action="governance.hold.refused")
        assert event.erasure_id == request.erasure_id
        assert event.trail_id is None

    def test_holds_nothing_for_a_subject_that_is_erased(self, world: World, office: Office) -> None:
        subject = world.subject()
        office.released(subject)
        office.run()

        with pytest.raises(SubjectErased):
            place(world, subject)

    def test_finds_no_subject_of_another_controller(self, world: World) -> None:
        with pytest.raises(SubjectNotFound):
            place(world, uuid4())


class TestLift:
    def test_lets_a_blocked_request_be_released_as_another_erasure(
        self, world: World, office: Office
    ) -> None:
        subject = world.subject()
        request = office.released(subject)
        lock = place(world, subject).lock
        with pytest.raises(requests.ErasureLocked):
            office.act("release", request, office.staff("key-custodian"))

        lift(world, lock)
        office.act("release", request, office.staff("key-custodian"))
        office.run()

        assert reread(request).state == "certified"
        assert reread(request).erasure_id != request.erasure_id
        assert not holds.in_force(controller_id=world.controller_id, after=None, limit=1)

    def test_starts_nothing_by_itself(self, world: World, office: Office) -> None:
        subject = world.subject()
        request = office.released(subject)

        lift(world, place(world, subject).lock)
        office.run()

        assert reread(request).state == "blocked"
        assert Subject.objects.get(id=subject).state == "live"


class TestCancelledElsewhere:
    def test_shows_the_request_as_blocked_too(self, world: World, office: Office) -> None:
        subject = world.subject()
        request = office.released(subject)

        with unit_of_work():
            locks.place(
                controller_id=world.controller_id,
                scope=SUBJECT,
                scope_id=subject,
                ground="retention-floor",
                actor=world.actor,
                now=world.now,
            )

        shown = requests.get(controller_id=world.controller_id, request_id=request.id)
        assert shown.state == "blocked"
