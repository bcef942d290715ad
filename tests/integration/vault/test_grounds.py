"""Grounds by batches: what one act does to one subject, many at once, in a few statements."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.unit_of_work import unit_of_work
from tests.fakes.world import World
from vault.errors import SubjectErased, SubjectNotFound
from vault.models import Alias, KeyGrant, PendingEntry, Removal
from vault.services import grants, shredding
from vault.services.grants import Ground, Opening, Withdrawal


def opening(world: World, subject: UUID, **earlier: float) -> Opening:
    return Opening(subject, world.purpose_id, uuid4(), world.now - timedelta(**earlier))


def withdrawal(world: World, subject: UUID) -> Withdrawal:
    return Withdrawal(subject, world.purpose_id, world.now)


def fence(world: World, subject: UUID) -> None:
    with unit_of_work():
        shredding.fence(
            subject_id=subject, erasure_id=uuid4(), actor=world.actor, open_leases=0, now=world.now
        )


def open_all(world: World, *openings: Opening) -> list[object]:
    with unit_of_work():
        return list(grants.open_grounds(openings=openings, now=world.now))


def withdraw_all(world: World, *withdrawals: Withdrawal) -> list[object]:
    with unit_of_work():
        return list(
            grants.withdraw_many(
                withdrawals=withdrawals, reason=Removal.Reason.WITHDRAWN, now=world.now
            )
        )


def statements(captured: CaptureQueriesContext) -> int:
    """How many there were; the clock looks for its offset now and then."""
    return sum("core_clockoffset" not in query["sql"] for query in captured.captured_queries)


class TestOpenGrounds:
    def test_answers_in_order_and_refuses_in_place(self, world: World) -> None:
        ada, bea = world.subject("ada"), world.subject("bea")
        fence(world, bea)
        wanted = [opening(world, subject) for subject in (bea, ada, uuid4())]

        erased, ground, unknown = open_all(world, *wanted)

        assert isinstance(erased, SubjectErased)
        assert isinstance(unknown, SubjectNotFound)
        assert isinstance(ground, Ground)
        assert ground.ground == wanted[1].ground == Alias.objects.get().ground

    def test_drops_grants_of_the_ground_before_and_of_no_other(self, world: World) -> None:
        ada, bea = world.subject("ada"), world.subject("bea")
        for subject in (ada, bea):
            world.consent(subject)

        open_all(world, opening(world, ada))

        assert [grant.subject_id for grant in KeyGrant.objects.all()] == [bea]

    def test_leaves_the_grants_of_a_ground_opened_again(self, world: World) -> None:
        ground = world.consent(world.subject("ada"))

        (again,) = open_all(
            world, Opening(ground.subject_id, ground.purpose_id, ground.ground, world.now)
        )

        assert again == ground
        assert KeyGrant.objects.count() == 1

    def test_brings_nothing_back_that_was_withdrawn_later(self, world: World) -> None:
        ada, bea = world.subject("ada"), world.subject("bea")
        for subject in (ada, bea):
            world.consent(subject)
        withdraw_all(world, withdrawal(world, ada))

        late, other = open_all(world, opening(world, ada, hours=1), opening(world, bea, hours=1))

        assert late is None
        assert isinstance(other, Ground)
        assert Alias.objects.get(subject=ada).ground is None

    def test_takes_as_many_statements_for_more_subjects(self, world: World) -> None:
        subjects = [world.subject(f"person-{number}") for number in range(6)]

        with CaptureQueriesContext(connection) as few:
            open_all(world, opening(world, subjects[0]))
        with CaptureQueriesContext(connection) as many:
            open_all(world, *(opening(world, subject) for subject in subjects[1:]))

        assert statements(many) == statements(few)


class TestWithdrawMany:
    def test_ends_each_ground_and_journals_every_decision(self, world: World) -> None:
        ada, bea, cle = (world.subject(name) for name in ("ada", "bea", "cle"))
        for subject in (ada, bea):
            world.consent(subject)
        before = PendingEntry.objects.filter(kind="revocation").count()

        done = withdraw_all(world, *(withdrawal(world, subject) for subject in (ada, cle, bea)))

        assert done == [True, False, True]
        assert not KeyGrant.objects.exists()
        assert set(Alias.objects.values_list("ground", "counter")) == {(None, 1)}
        assert Removal.objects.count() == 2
        assert PendingEntry.objects.filter(kind="revocation").count() == before + 3

    def test_refuses_in_place(self, world: World) -> None:
        ada, bea = world.subject("ada"), world.subject("bea")
        world.consent(ada)
        fence(world, bea)

        done = withdraw_all(world, *(withdrawal(world, subject) for subject in (bea, ada)))

        assert isinstance(done[0], SubjectErased)
        assert done[1] is True

    def test_keeps_the_latest_time_of_withdrawal(self, world: World) -> None:
        ada = world.subject("ada")
        world.consent(ada)
        first = withdrawal(world, ada)
        withdraw_all(world, first)
        open_all(world, Opening(ada, world.purpose_id, uuid4(), world.later(hours=1)))

        withdraw_all(world, Withdrawal(ada, world.purpose_id, first.decided_at - timedelta(days=1)))

        assert Alias.objects.get().revoked_at == first.decided_at

    def test_undoes_all_of_it_with_its_transaction(self, world: World) -> None:
        ada, bea = world.subject("ada"), world.subject("bea")
        for subject in (ada, bea):
            world.consent(subject)

        with pytest.raises(TypeError, match="done"):
            self.withdraw_and_fail(world, ada, bea)

        assert KeyGrant.objects.count() == 2
        assert not Removal.objects.exists()

    def withdraw_and_fail(self, world: World, *subjects: UUID) -> None:
        with unit_of_work():
            grants.withdraw_many(
                withdrawals=[withdrawal(world, subject) for subject in subjects],
                reason=Removal.Reason.WITHDRAWN,
                now=world.now,
            )
            raise TypeError("done")
