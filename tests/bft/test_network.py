"""Four validators of a real BFT chain: what one may lose, and what two may."""

from pathlib import Path

import pytest
from web3 import Web3

from contracts.errors import ChainUnavailable
from tests.bft.bed import BftBed
from tests.chain.bed import HOT
from tests.servers.c2 import Network

pytestmark = [pytest.mark.bft, pytest.mark.long]


def blocks(network: Network, number: int) -> set[bytes]:
    """The hashes that the validators give this block."""
    nodes = [Web3(Web3.HTTPProvider(network.url(one))) for one in range(4)]
    return {bytes(node.eth.get_block(number)["hash"]) for node in nodes}


class TestNetwork:
    def test_agrees_on_every_block(self, network: Network) -> None:
        network.grow(3)
        height = network.height() or 0
        network.wait_for(height)

        assert all(len(blocks(network, number)) == 1 for number in range(1, height + 1))

    def test_lets_nobody_else_create_contracts(self, bed: BftBed, tmp_path: Path) -> None:
        with pytest.raises(ChainUnavailable):
            bed.deploy(tmp_path, key=HOT)

    def test_goes_on_without_one_and_halts_without_two(self, network: Network) -> None:
        network.stop(3)
        network.grow(2)

        network.stop(2)
        network.wait_for_halt()

        network.start(2)  # one of two is enough
        network.grow(2)
        network.make_whole()
