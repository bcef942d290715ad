"""Attacks by the table owner, whom rights do not hold: what the triggers refuse all the same."""

from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connections
from psycopg.errors import InsufficientPrivilege

from core import effects
from core.unit_of_work import unit_of_work
from tests.fakes.world import World
from vault.models import KeyShare, Removal, SealedRecord, Shredding
from vault.services import grants, shredding

BOTH = pytest.mark.parametrize("role", ["default", "owner"])


@pytest.fixture
def fenced(world: World) -> UUID:
    """A subject under a fence, with a record and a reader."""
    subject = world.subject()
    world.record(subject)
    world.consent(subject)
    with unit_of_work():
        shredding.fence(
            subject_id=subject, erasure_id=uuid4(), actor=world.actor, open_leases=0, now=world.now
        )
    return subject


@pytest.fixture
def erased(world: World, fenced: UUID) -> UUID:
    world.later(minutes=10)
    for queue in ("shred", "attest"):
        effects.sweep(queue=queue, now=world.now)
    assert Shredding.objects.get().state == "verified"
    return fenced


def refused(role: str, statement: str, *values: str | UUID) -> str:
    """Run the statement as `role` and return what the database says; fails when it is done."""
    with pytest.raises(DatabaseError) as caught, connections[role].cursor() as cursor:
        cursor.execute(statement, values)
    return str(caught.value)


class TestFencedSubject:
    @BOTH
    def test_is_not_set_live_under_a_running_erasure(
        self, world: World, fenced: UUID, role: str
    ) -> None:
        said = refused(role, "UPDATE vault_subject SET state = 'live' WHERE id = %s", fenced)

        assert "illegal move" in said
        assert world.record(fenced, "r2").outcome == "erased"

    @BOTH
    def test_gets_no_row_even_with_its_share_set_live(
        self, world: World, fenced: UUID, role: str
    ) -> None:
        KeyShare.objects.using(role).filter(subject_id=fenced).update(state="live")
        row = SealedRecord.objects.get(subject_id=fenced)
        row.pk, row.record_id, row.is_current = uuid4(), uuid4(), False

        with pytest.raises(DatabaseError, match="late writer"):
            row.save(using=role, force_insert=True)
        assert not world.page().rows

    @BOTH
    def test_is_erased_whatever_its_share_s_state_says(
        self, world: World, fenced: UUID, role: str
    ) -> None:
        KeyShare.objects.using(role).filter(subject_id=fenced).update(state="live")

        world.later(minutes=10)
        effects.sweep(queue="shred", now=world.now)

        assert set(world.custodian.shares.values()) == {None}

    @BOTH
    def test_is_not_handed_to_another_controller(
        self, world: World, fenced: UUID, role: str
    ) -> None:
        said = refused(role, "UPDATE vault_subject SET controller_id = %s", uuid4())

        assert "illegal move" in said


class TestErasedSubject:
    @BOTH
    @pytest.mark.parametrize("state", ["live", "fenced"])
    def test_never_lives_again(self, erased: UUID, role: str, state: str) -> None:
        said = refused(role, "UPDATE vault_subject SET state = %s WHERE id = %s", state, erased)

        assert "illegal move" in said

    @BOTH
    @pytest.mark.parametrize("state", ["live", "planned", "retired", "absent"])
    def test_keeps_its_share_destroyed(self, erased: UUID, role: str, state: str) -> None:
        said = refused(
            role, "UPDATE vault_keyshare SET state = %s WHERE state = 'destroyed'", state
        )

        assert "illegal move" in said

    @BOTH
    def test_gets_no_new_share(self, erased: UUID, role: str) -> None:
        share = KeyShare.objects.get(subject=None)
        share.pk, share.state, share.subject_id = uuid4(), "live", erased

        with pytest.raises(DatabaseError, match="late writer"):
            share.save(using=role, force_insert=True)

    @BOTH
    def test_lends_its_share_to_nobody(self, world: World, erased: UUID, role: str) -> None:
        other = world.subject("other")

        said = refused(
            role, "UPDATE vault_keyshare SET subject_id = %s WHERE state = 'destroyed'", other
        )

        assert "illegal move" in said


class TestShredding:
    @BOTH
    @pytest.mark.parametrize("state", ["ordered", "keys-destroyed", "swept"])
    def test_is_not_cancelled_once_ordered(
        self, world: World, fenced: UUID, role: str, state: str
    ) -> None:
        Shredding.objects.update(state="ordered")
        Shredding.objects.update(state=state)

        said = refused(role, "UPDATE vault_shredding SET state = 'cancelled'")

        assert "illegal move" in said

    @BOTH
    def test_declared_done_is_caught_by_the_attester(
        self, world: World, fenced: UUID, role: str
    ) -> None:
        """Somebody writes the markers of an erasure that never destroyed a key."""
        Shredding.objects.using(role).update(state="swept", swept_at=world.now)
        with unit_of_work():
            key = str(Shredding.objects.get().erasure_id)
            effects.enqueue(
                kind="vault.attest", key=key, payload={"erasure_id": key}, now=world.now
            )

        effects.sweep(queue="attest", now=world.now)

        assert Shredding.objects.get().state == "swept"
        assert None not in world.custodian.shares.values()


class TestWithdrawal:
    @BOTH
    def test_is_not_undone_by_the_counter(self, world: World, role: str) -> None:
        subject = world.subject()
        world.record(subject)
        world.consent(subject)
        with unit_of_work():
            grants.withdraw(
                subject_id=subject,
                purpose_id=world.purpose_id,
                reason=Removal.Reason.WITHDRAWN,
                now=world.now,
            )

        said = refused(role, "UPDATE vault_alias SET counter = 0, ground = %s", uuid4())

        assert "illegal move" in said


class TestHistory:
    """Evidence has no trigger against its owner; every process's role lacks the right."""

    @pytest.mark.parametrize(
        "table",
        [
            "core_auditevent",
            "core_signingkey",
            "vault_journalhead",
            "governance_consentrecord",
            "governance_decision",
            "governance_certificate",
        ],
    )
    @pytest.mark.parametrize("act", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}"])
    @pytest.mark.usefixtures("world")
    def test_is_not_rewritten(self, table: str, act: str) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table} LIMIT 0")
            column = cursor.description[1].name
        statement = act.format(table, column, column)

        with pytest.raises(DatabaseError) as caught, connections["default"].cursor() as cursor:
            cursor.execute(statement)

        assert isinstance(caught.value.__cause__, InsufficientPrivilege)
