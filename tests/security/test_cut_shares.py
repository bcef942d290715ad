"""The attack: a key share is taken off its subject, so that the erasure does not find it."""

from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError

from core import effects
from core.unit_of_work import unit_of_work
from tests.fakes.world import World
from vault.models import KeyShare, Shredding
from vault.services import shredding
from vault.services.grants import CategoryRef

BOTH = pytest.mark.parametrize("role", ["default", "owner"])


@pytest.fixture
def subject(world: World) -> UUID:
    """A subject with shares of two key groups."""
    made = world.subject()
    world.record(made)
    world.category = CategoryRef(uuid4(), "apart")
    world.record(made, "r2")
    assert KeyShare.objects.filter(subject_id=made).count() == 2
    return made


class TestLivingShare:
    @BOTH
    def test_is_not_cut_off_its_subject(self, subject: UUID, role: str) -> None:
        with pytest.raises(DatabaseError, match="illegal move"):
            KeyShare.objects.using(role).filter(group="apart").update(subject=None)

    @BOTH
    def test_is_not_cut_off_under_a_fence(self, world: World, subject: UUID, role: str) -> None:
        with unit_of_work():
            shredding.fence(
                subject_id=subject,
                erasure_id=uuid4(),
                actor=world.actor,
                open_leases=0,
                now=world.now,
            )

        with pytest.raises(DatabaseError, match="illegal move"):
            KeyShare.objects.using(role).filter(group="apart").update(subject=None)
        world.later(minutes=10)
        effects.sweep(queue="shred", now=world.now)

        assert Shredding.objects.get().state == "swept"
        assert set(world.custodian.shares.values()) == {None}
