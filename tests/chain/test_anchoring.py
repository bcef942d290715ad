"""The pipeline on a real chain: what goes right, what is taken back, what costs too much."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from eth_account import Account
from web3 import Web3

from contracts.domain.anchors import State
from contracts.errors import ChainHalted, ChainUnavailable
from contracts.models import ChainAnchor, ChainAttempt, ChainHalt, ChainSender, ChainStep
from contracts.services import halts
from core import failpoints
from tests.chain.bed import COLD, Bed
from tests.chain.contracts import artifact
from tests.fakes.points import Killed
from tests.fakes.site import killer

pytestmark = [pytest.mark.chain, pytest.mark.long]
POINTS = ["contracts.anchor.choosing", "contracts.anchor.signed", "contracts.anchor.sent"]
GWEI = 10**9


def anchored() -> list[tuple[int, int, bytes]]:
    """What the chain should say: every anchor that did not fail, in order."""
    rows = ChainAnchor.objects.exclude(state=State.FAILED).order_by("sequence")
    return [(row.sequence, row.size, bytes(row.root)) for row in rows]


class TestRunRound:
    def test_brings_a_head_into_a_final_block(self, bed: Bed) -> None:
        batch = bed.batch()

        bed.round(with_log=True)
        assert bed.states() == ["sent"]
        bed.mine()
        bed.round()
        assert bed.states() == ["mined"]
        bed.mine()
        bed.round()
        assert bed.states() == ["safe"]
        bed.mine()
        bed.round()

        assert bed.states() == ["final"]
        assert bed.events() == [(1, batch.size, bytes(batch.root))]
        bed.assert_true()

    def test_stores_the_bytes_before_anybody_sees_them(self, bed: Bed) -> None:
        bed.batch()
        bed.chain.is_down = True

        with pytest.raises(ChainUnavailable):
            bed.round(with_log=True)

        (attempt,) = bed.attempts()
        assert bed.states() == ["signed"]
        bed.chain.is_down = False
        bed.settle()
        assert bytes(bed.newest().tx_hash or b"") == bytes(attempt.tx_hash)
        assert len(bed.attempts()) == 1

    def test_covers_batches_that_came_meanwhile_with_one_anchor(self, bed: Bed) -> None:
        for _ in range(3):
            newest = bed.batch()

        bed.round(with_log=True)
        bed.settle()

        assert bed.events() == [(1, newest.size, bytes(newest.root))]
        bed.round(with_log=True)
        assert bed.states() == ["final"]

    def test_has_one_anchor_of_a_log_outside_blocks_at_most(self, bed: Bed) -> None:
        bed.batch()
        bed.round(with_log=True)
        bed.batch()
        bed.round(with_log=True)
        assert bed.states() == ["sent"]

        bed.mine()
        bed.round()
        bed.round(with_log=True)

        assert bed.states() == ["mined", "sent"]
        bed.settle()
        assert bed.events() == anchored()

    @pytest.mark.parametrize("point", POINTS)
    def test_that_broke_off_is_made_good_by_the_next(self, bed: Bed, point: str) -> None:
        bed.batch()
        hits: list[str] = []
        with failpoints.installed(killer(point, hits)), pytest.raises(Killed):
            bed.round(with_log=True)
        assert hits

        bed.round(with_log=True)
        bed.settle()

        assert bed.states() == ["final"]
        assert len(bed.attempts()) == 1
        bed.assert_true()

    def test_takes_an_answer_that_was_lost_for_an_answer(self, bed: Bed) -> None:
        bed.batch()
        bed.chain.loses_answers = True
        with pytest.raises(ChainUnavailable):
            bed.round(with_log=True)
        bed.chain.loses_answers = False

        bed.settle()

        assert bed.states() == ["final"]
        assert len(bed.attempts()) == 1

    def test_does_nothing_beside_another_with_the_same_sender(self, bed: Bed) -> None:
        bed.batch()
        seen: list[bool] = []

        def meanwhile(point: str) -> None:
            if point == "contracts.anchor.signed":
                seen.append(in_another_session(bed))

        with failpoints.installed(meanwhile):
            bed.round(with_log=True)

        assert seen == [False]


class TestPrice:
    def test_is_raised_by_an_eighth_under_the_same_nonce(self, bed: Bed) -> None:
        bed.batch()
        bed.round(with_log=True)
        bed.base_fee(80 * GWEI)
        for _ in range(4):
            bed.drop()
            bed.mine()

        bed.round()

        first, second = bed.attempts()
        assert (first.anchor_id, first.nonce) == (second.anchor_id, second.nonce)
        assert second.max_fee * 8 >= first.max_fee * 9
        assert second.tip * 8 >= first.tip * 9
        bed.base_fee(GWEI)
        bed.settle()
        assert bed.states() == ["final"]
        bed.assert_true()

    def test_above_the_cap_is_stuck_until_it_falls(self, bed: Bed) -> None:
        bed.batch()
        bed.base_fee(200 * GWEI)

        bed.round(with_log=True)

        assert (bed.newest().state, bed.newest().reason) == ("stuck", "fee-cap")
        assert bed.attempts() == []
        bed.base_fee(GWEI)
        bed.settle()
        assert bed.states() == ["final"]

    def test_above_the_cap_later_is_stuck_and_waits_with_what_was_sent(self, bed: Bed) -> None:
        bed.batch()
        bed.round(with_log=True)
        bed.base_fee(200 * GWEI)
        for _ in range(30):
            bed.base_fee(200 * GWEI)
            bed.round()

        assert (bed.newest().state, bed.newest().reason) == ("stuck", "fee-cap")
        assert max(attempt.max_fee for attempt in bed.attempts()) <= 100 * GWEI
        bed.base_fee(GWEI)
        bed.settle()
        assert bed.states() == ["final"]
        bed.assert_true()

    def test_that_the_sender_cannot_pay_is_stuck_until_it_can(self, bed: Bed) -> None:
        balance = bed.chain.balance(bed.sender.address)
        bed.rpc("anvil_setBalance", bed.sender.address, "0x1")
        bed.batch()

        bed.round(with_log=True)

        assert (bed.newest().state, bed.newest().reason) == ("stuck", "balance")
        bed.rpc("anvil_setBalance", bed.sender.address, hex(balance))
        bed.settle()
        assert bed.states() == ["final"]


class TestReorg:
    @pytest.mark.parametrize("depth", [1, 2])
    def test_before_finality_sends_the_same_bytes_again(self, bed: Bed, depth: int) -> None:
        bed.batch()
        bed.round(with_log=True)
        bed.mine()
        bed.round()
        before = bytes(bed.newest().block_hash or b"")
        bed.mine(depth - 1)

        bed.reorg(depth)
        bed.round()

        assert bed.states() == ["sent"]
        bed.settle()
        assert bed.states() == ["final"]
        assert bytes(bed.newest().block_hash or b"") != before
        assert len(bed.attempts()) == 1
        bed.assert_true()

    def test_deeper_than_finality_quarantines_and_halts(self, bed: Bed) -> None:
        bed.batch()
        bed.round(with_log=True)
        bed.settle()
        head = bed.node.eth.block_number

        bed.reorg(head - (bed.newest().block_number or 0) + 1)
        with pytest.raises(ChainHalted):
            bed.round()

        assert bed.states() == ["quarantined"]
        assert ChainHalt.objects.get().reason == halts.CHANGED
        with pytest.raises(ChainHalted):
            bed.round(with_log=True)
        bed.resume()
        bed.settle()
        assert bed.states() == ["final"]
        assert bed.events() == anchored()

    def test_is_found_a_day_later_too(self, bed: Bed) -> None:
        bed.batch()
        bed.round(with_log=True)
        bed.settle()
        ChainAnchor.objects.update(block_hash=b"\x05" * 32)  # as if this block had been final
        bed.batch()
        bed.now += timedelta(days=2)

        with pytest.raises(ChainHalted):
            bed.round(with_log=True)

        assert bed.states() == ["quarantined"]


class TestHalts:
    def test_when_the_sender_was_used_elsewhere(self, bed: Bed) -> None:
        bed.batch()
        bed.round(with_log=True)
        bed.settle()
        ChainSender.objects.update(next_nonce=0)  # a database put back to before it signed

        with pytest.raises(ChainHalted):
            bed.round()

        assert ChainHalt.objects.get().reason == halts.SENDER_AHEAD
        bed.resume()
        bed.batch()
        bed.round(with_log=True)
        bed.settle()
        assert bed.states() == ["final", "final"]
        assert bed.events() == anchored()

    def test_when_somebody_anchored_in_our_stream(self, bed: Bed) -> None:
        first = bed.batch()
        bed.round(with_log=True)
        bed.settle()
        forget()
        bed.batch()

        with pytest.raises(ChainHalted):
            bed.round(with_log=True)

        assert ChainHalt.objects.get().reason == halts.STREAM_AHEAD
        bed.resume()
        bed.round(with_log=True)
        bed.settle()
        assert [sequence for sequence, _, _ in bed.events()] == [1, 2]
        assert bed.events()[0][1] == first.size

    def test_when_its_nonce_went_to_something_else(self, bed: Bed) -> None:
        bed.batch()
        bed.round(with_log=True)
        bed.drop()
        spend(bed)
        bed.mine(4)

        with pytest.raises(ChainHalted):
            bed.round()

        assert ChainHalt.objects.get().reason == halts.NONCE_TAKEN
        bed.resume()
        assert bed.states() == ["failed"]
        bed.round(with_log=True)
        bed.settle()
        assert bed.states() == ["failed", "final"]
        assert len(bed.events()) == 1

    def test_without_the_role_nothing_is_spent(self, bed: Bed) -> None:
        role(bed, "revokeRole")
        bed.batch()

        bed.round(with_log=True)

        assert bed.newest().reason == "AccessControlUnauthorizedAccount"
        assert bed.attempts() == []
        role(bed, "grantRole")
        bed.settle()
        assert bed.states() == ["final"]

    def test_when_the_contract_refused_what_was_sent(self, bed: Bed) -> None:
        bed.batch()
        bed.round(with_log=True)
        bed.drop()
        role(bed, "revokeRole")
        bed.round()

        with pytest.raises(ChainHalted):
            bed.settle()

        assert bed.states() == ["failed"]
        role(bed, "grantRole")
        bed.resume()
        bed.round(with_log=True)
        bed.settle()
        assert bed.states() == ["failed", "final"]
        assert len(bed.events()) == 1


def in_another_session(bed: Bed) -> bool:
    """A round of another process, on a connection of its own."""

    def other() -> bool:
        try:
            return bed.round(with_log=True)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(other).result()


def forget() -> None:
    """A database that was put back to before it anchored anything."""
    for model in (ChainAttempt, ChainStep, ChainAnchor, ChainSender):
        model.objects.using("owner").all().delete()


def spend(bed: Bed) -> None:
    """Somebody else uses the sender's key, with the nonce that is next."""
    account = bed.sender._account
    address = bed.sender.address
    signed = account.sign_transaction(
        {
            "to": address, "value": 0, "gas": 21_000, "chainId": 31337,
            "nonce": bed.node.eth.get_transaction_count(Web3.to_checksum_address(address)),
            "maxFeePerGas": 90 * GWEI, "maxPriorityFeePerGas": GWEI,
        }
    )  # fmt: skip
    bed.node.eth.send_raw_transaction(signed.raw_transaction)


def role(bed: Bed, function: str) -> None:
    """The admin gives or takes the sender's role, and the block is mined."""
    admin = Account.from_key(COLD).address
    contract = bed.node.eth.contract(
        address=Web3.to_checksum_address(bed.contract().address), abi=artifact("AnchorLog")["abi"]
    )
    bed.rpc("anvil_autoImpersonateAccount", True)
    call = getattr(contract.functions, function)(Web3.keccak(text="ANCHORER"), bed.sender.address)
    call.transact({"from": admin})
    bed.mine()
