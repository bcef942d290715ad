"""What four validators keep to: who may create contracts, one answer from all, final blocks."""

import os
from typing import Any

import pytest
from eth_account import Account
from web3 import Web3
from web3.exceptions import Web3RPCError
from web3.types import TxParams, TxReceipt

from contracts.models import ChainAnchor
from tests.bft.bed import BftBed
from tests.chain.bed import COLD, HOT
from tests.chain.contracts import artifact
from tests.servers.c2 import CHAIN_ID, VALIDATORS, Network

pytestmark = [pytest.mark.bft, pytest.mark.long]
#: Creates a contract whose code is one zero byte.
TINY = bytes.fromhex("6001600c60003960016000f300")
#: Creates what anybody sends it, by CREATE2; genesis brings it.
FACTORY = Web3.to_checksum_address("0x4e59b44847b379578588920ca78fbf26c0b4956c")


def nodes(network: Network) -> list[Web3]:
    return [Web3(Web3.HTTPProvider(network.url(number))) for number in range(VALIDATORS)]


def mined(network: Network, key: str, **call: Any) -> TxReceipt:
    """Of a transaction that carries its own gas limit, so that no estimate refuses it before."""
    eth, account = nodes(network)[0].eth, Account.from_key(key)
    signed = account.sign_transaction(
        {
            "nonce": eth.get_transaction_count(account.address), "chainId": CHAIN_ID,
            "gas": 3_000_000, "gasPrice": 0, "value": 0, **call,
        }
    )  # fmt: skip
    return eth.wait_for_transaction_receipt(eth.send_raw_transaction(signed.raw_transaction))


def creation(key: str) -> bytes:
    """AnchorLog's code and its admin, as a transaction carries them."""
    made = artifact("AnchorLog")
    factory = Web3().eth.contract(abi=made["abi"], bytecode=made["bytecode"])
    built = factory.constructor(Account.from_key(key).address)
    return bytes.fromhex(str(built.data_in_transaction).removeprefix("0x"))


class TestCreation:
    def test_is_for_the_listed_address(self, network: Network) -> None:
        receipt = mined(network, COLD, data=creation(COLD))

        assert receipt["status"] == 1
        assert receipt["contractAddress"] is not None
        network.wait_for(receipt["blockNumber"])
        for node in nodes(network):
            assert node.eth.get_code(receipt["contractAddress"])

    def test_is_refused_in_consensus_to_any_other(self, network: Network) -> None:
        receipt = mined(network, HOT, data=creation(HOT))

        assert receipt["status"] == 0
        # The receipt names the address all the same: the status alone says that nothing is there.
        assert receipt["contractAddress"] is not None
        assert not nodes(network)[0].eth.get_code(receipt["contractAddress"])

    def test_is_refused_with_its_reason_when_asked_before(self, network: Network) -> None:
        asked: TxParams = {"from": Account.from_key(HOT).address, "data": creation(HOT)}

        with pytest.raises(Web3RPCError, match="does not have permission to deploy contracts"):
            nodes(network)[0].eth.call(asked)

    @pytest.mark.parametrize(("key", "status"), [(COLD, 1), (HOT, 0)], ids=["listed", "other"])
    def test_through_a_factory_asks_who_signed(
        self, network: Network, key: str, status: int
    ) -> None:
        salt = os.urandom(32)

        receipt = mined(network, key, to=FACTORY, data=salt + TINY)

        assert receipt["status"] == status
        made = Web3.keccak(b"\xff" + bytes.fromhex(FACTORY[2:]) + salt + Web3.keccak(TINY))[12:]
        code = nodes(network)[0].eth.get_code(Web3.to_checksum_address(made))
        assert code == b"\x00" * status


class TestReceipts:
    def test_of_an_anchor_are_the_same_from_every_validator(self, bed: BftBed) -> None:
        bed.batch()
        bed.round(with_log=True)
        bed.settle()
        anchor = ChainAnchor.objects.get()
        bed.network.wait_for(anchor.block_number or 0)

        sent = Web3.to_hex(bytes(anchor.tx_hash or b""))
        found = [node.eth.wait_for_transaction_receipt(sent) for node in nodes(bed.network)]

        assert found == [found[0]] * VALIDATORS
        assert (found[0]["status"], found[0]["blockNumber"]) == (1, anchor.block_number)
        assert len(found[0]["logs"]) == 1


class TestFinality:
    def test_outlives_a_halt(self, network: Network) -> None:
        network.stop(2, 3, kill=True)
        survivor = nodes(network)[0]
        network.wait_for_halt()
        tip = network.height() or 0
        before = [survivor.eth.get_block(number)["hash"] for number in range(1, tip + 1)]

        network.start(2)  # one of two is enough
        network.grow(2)

        network.make_whole()
        for node in nodes(network):
            after = [node.eth.get_block(number)["hash"] for number in range(1, tip + 1)]
            assert after == before
