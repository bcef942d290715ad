"""Anchors on a real BFT chain whose validators end and come back."""

import pytest
from django.db import connection

from contracts.errors import ChainUnavailable
from contracts.models import ChainAnchor, ChainAttempt
from contracts.services import anchoring
from core import runtime
from tests.bft.bed import BftBed
from tests.chain.bed import NOON
from tests.servers.c2 import wait_until

pytestmark = [pytest.mark.bft, pytest.mark.long]


def in_chain(bed: BftBed) -> tuple[int, int]:
    """What the contract says of our newest stream: sequence and size."""
    newest = ChainAnchor.objects.latest("pk")
    head = bed.chain.head(contract=anchoring.contract_of("c1").address, stream=bytes(newest.stream))
    return head.sequence, head.size


class TestAnchoring:
    def test_is_final_with_its_block(self, bed: BftBed) -> None:
        batch = bed.batch()

        bed.round(with_log=True)
        bed.settle()

        assert in_chain(bed) == (1, batch.size)
        anchor = ChainAnchor.objects.get()
        for number in range(4):
            bed.network.wait_for(anchor.block_number or 0, number)
        block = bed.chain.block(anchor.block_number or 0)
        assert block is not None
        wait_until(lambda: bed.chain.agreeing(block) == 4, "the validators differ")

    def test_goes_on_with_one_validator_down(self, bed: BftBed) -> None:
        bed.network.stop(0, kill=True)  # the one that was asked first
        bed.batch()

        wait_until(lambda: _chosen(bed), "nothing was chosen")
        bed.settle()

        assert bed.states() == ["final"]

    def test_makes_nothing_final_with_two_down_and_loses_nothing(self, bed: BftBed) -> None:
        bed.batch()
        bed.network.stop(2, 3)

        wait_until(lambda: _chosen(bed), "nothing was chosen")
        for _ in range(5):
            assert not bed.is_final()
        (attempt,) = ChainAttempt.objects.all()

        bed.network.start(2, 3)
        bed.settle()
        assert bytes(ChainAnchor.objects.get().tx_hash or b"") == bytes(attempt.tx_hash)
        assert in_chain(bed)[0] == 1

    def test_sends_again_what_only_waited_when_all_restarted(self, bed: BftBed) -> None:
        bed.batch()
        bed.network.stop(2, 3)
        wait_until(lambda: _chosen(bed), "nothing was chosen")
        bed.network.stop(0, 1, kill=True)
        with pytest.raises(ChainUnavailable):
            bed.round()

        bed.network.start(0, 1, 2, 3)
        bed.settle()

        assert ChainAttempt.objects.count() == 1
        assert in_chain(bed)[0] == 1

    def test_keeps_heads_of_the_chain_on_another(self, bed: BftBed) -> None:
        """Here on itself under another name: what is read of one chain and written to another."""
        other = type(bed.chain)(bed.chain.rules)
        held = dict(runtime.port("chains"))
        rules = bed.chain.rules
        bed.chain.rules = type(rules)(
            **{name: getattr(rules, name) for name in rules.__slots__} | {"heads_of": ("c2",)}
        )
        with runtime.override(chains={**held, "c2": other}, senders=runtime.port("senders")):
            anchoring.run_round("c1", now=NOON, with_heads=True)
            bed.settle()

        anchor = ChainAnchor.objects.get()
        block = bed.chain.block(anchor.size)
        assert block is not None
        assert block.hash == bytes(anchor.root)
        assert anchor.batch is None


def _chosen(bed: BftBed) -> bool:
    try:
        bed.round(with_log=not ChainAnchor.objects.exists())
    except ChainUnavailable:
        connection.close()
    return ChainAttempt.objects.exists()
