"""An erasure whose subject has no living share left reads and attests the shares that are gone."""

from uuid import uuid4

import pytest

from core import effects
from core.unit_of_work import unit_of_work
from tests.fakes.world import World
from vault.models import DestructionAttestation, KeyShare, Shredding, Subject
from vault.services import shredding


def lose(world: World, state: str) -> None:
    """Let the key store say `state` of every share."""
    if state == "absent":
        world.custodian.shares.clear()
    for kid in world.custodian.shares:
        world.custodian.shares[kid] = None


class TestErasure:
    @pytest.mark.parametrize("state", ["destroyed", "absent"])
    def test_of_a_subject_whose_share_is_gone_is_journaled_and_verified(
        self, world: World, state: str
    ) -> None:
        subject, erasure_id = world.subject("ada"), uuid4()
        KeyShare.objects.update(state=state)
        lose(world, state)
        with unit_of_work():
            shredding.fence(
                subject_id=subject, erasure_id=erasure_id, actor=world.actor, open_leases=0,
                now=world.now,
            )  # fmt: skip
        world.later(minutes=10)
        for queue in ("shred", "attest"):
            effects.sweep(queue=queue, now=world.now)

        kid = KeyShare.objects.get().kid.hex
        (item,) = [
            item for entry in world.journal.entries(after=0) for item in entry.body.get("items", [])
        ]
        assert (item["erasure_id"], item["kids"]) == (str(erasure_id), [kid])
        assert len(item["tags"]) == 1
        assert Shredding.objects.get().state == "verified"
        body = DestructionAttestation.objects.get().body
        assert [share["state"] for share in body["shares"]] == [state]
        assert KeyShare.objects.get().state == state
        assert Subject.objects.get().state == "erased"
