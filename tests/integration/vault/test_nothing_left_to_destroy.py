"""An erasure whose subject has no share left is announced, swept and attested all the same."""

from uuid import uuid4

import pytest

from core import effects
from core.unit_of_work import unit_of_work
from tests.fakes.world import World
from vault.models import DestructionAttestation, KeyShare, Shredding, Subject
from vault.services import shredding


class TestErasure:
    @pytest.mark.parametrize("state", ["destroyed", "absent"])
    def test_of_a_subject_without_shares_is_journaled_and_verified(
        self, world: World, state: str
    ) -> None:
        subject, erasure_id = world.subject("ada"), uuid4()
        KeyShare.objects.update(state=state)
        with unit_of_work():
            shredding.fence(
                subject_id=subject, erasure_id=erasure_id, actor=world.actor, open_leases=0,
                now=world.now,
            )  # fmt: skip
        world.later(minutes=10)
        for queue in ("shred", "attest"):
            effects.sweep(queue=queue, now=world.now)

        (item,) = [
            item for entry in world.journal.entries(after=0) for item in entry.body.get("items", [])
        ]
        assert (item["erasure_id"], item["kids"]) == (str(erasure_id), [])
        assert len(item["tags"]) == 1
        assert Shredding.objects.get().state == "verified"
        assert DestructionAttestation.objects.get().body["shares"] == []
        assert Subject.objects.get().state == "erased"
