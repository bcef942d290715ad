"""AnchorLog on a real EVM: who may write, in which order, and what is said of it."""

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from web3 import Web3

from tests.chain.contracts import Deployed, artifact, deploy

pytestmark = pytest.mark.chain
STREAM, OTHER = b"\x01" * 32, b"\x02" * 32
DIGEST = b"\x09" * 32


@pytest.fixture
def log(chain: Web3) -> Deployed:
    return deploy(chain, "AnchorLog", "ANCHORER")


def root() -> bytes:
    return os.urandom(32)


def head(log: Deployed, stream: bytes = STREAM) -> tuple[int, int]:
    seq, size, _time = log.contract.functions.headOf(stream).call()
    return seq, size


class TestAnchor:
    def test_keeps_the_head_and_says_the_root(self, log: Deployed) -> None:
        made = root()

        receipt = log.send("anchor", STREAM, 1, 64, made, DIGEST)

        assert head(log) == (1, 64)
        (event,) = log.events("Anchored", receipt)
        assert event == {
            "stream": STREAM, "seq": 1, "root": made, "treeSize": 64, "metaDigest": DIGEST,
        }  # fmt: skip
        block = log.chain.eth.get_block(receipt["blockNumber"])
        assert log.contract.functions.headOf(STREAM).call()[2] == block["timestamp"]

    def test_takes_a_tree_that_did_not_grow(self, log: Deployed) -> None:
        log.send("anchor", STREAM, 1, 64, root(), DIGEST)

        log.send("anchor", STREAM, 2, 64, root(), DIGEST)

        assert head(log) == (2, 64)

    @pytest.mark.parametrize("seq", [0, 1, 3, 2**64 - 1])
    def test_refuses_any_but_the_next(self, log: Deployed, seq: int) -> None:
        log.send("anchor", STREAM, 1, 64, root(), DIGEST)

        said = log.refusal("anchor", STREAM, seq, 128, root(), DIGEST)

        assert said == f"AnchorLogSeqMismatch(2, {seq})"
        assert head(log) == (1, 64)

    def test_refuses_a_tree_that_shrank(self, log: Deployed) -> None:
        log.send("anchor", STREAM, 1, 64, root(), DIGEST)

        assert log.refusal("anchor", STREAM, 2, 63, root(), DIGEST) == "AnchorLogTreeShrunk(64, 63)"

    @pytest.mark.parametrize(("made", "digest"), [(bytes(32), DIGEST), (DIGEST, bytes(32))])
    def test_refuses_a_root_or_digest_of_nothing(
        self, log: Deployed, made: bytes, digest: bytes
    ) -> None:
        assert log.refusal("anchor", STREAM, 1, 64, made, digest) == "AnchorLogEmpty()"

    def test_keeps_streams_apart(self, log: Deployed) -> None:
        log.send("anchor", STREAM, 1, 64, root(), DIGEST)

        log.send("anchor", OTHER, 1, 8, root(), DIGEST)

        assert (head(log), head(log, OTHER)) == ((1, 64), (1, 8))


class TestAnchorMany:
    def test_is_all_or_nothing(self, log: Deployed) -> None:
        first = (STREAM, 1, 64, root(), DIGEST)

        said = log.refusal("anchorMany", [first, (OTHER, 2, 8, root(), DIGEST)])

        assert said == "AnchorLogSeqMismatch(1, 2)"
        assert head(log) == (0, 0)
        receipt = log.send("anchorMany", [first, (STREAM, 2, 65, root(), DIGEST)])
        assert [event["seq"] for event in log.events("Anchored", receipt)] == [1, 2]
        assert head(log) == (2, 65)


class TestRoles:
    @pytest.mark.parametrize("who", ["admin", "stranger"])
    def test_keep_everybody_else_from_anchoring(self, log: Deployed, who: str) -> None:
        one = (STREAM, 1, 64, root(), DIGEST)
        by = getattr(log, who)

        for function, arguments in (("anchor", one), ("anchorMany", ([one],))):
            said = log.refusal(function, *arguments, by=by)
            assert said.startswith(f"AccessControlUnauthorizedAccount({by.lower()}")

    def test_are_given_and_taken_by_the_admin_alone(self, log: Deployed) -> None:
        role = Web3.keccak(text="ANCHORER")
        for by in (log.holder, log.stranger):
            assert log.refusal("grantRole", role, log.stranger, by=by).startswith("AccessControl")

        log.send("revokeRole", role, log.holder, by=log.admin)

        assert log.refusal("anchor", STREAM, 1, 64, root(), DIGEST).startswith("AccessControl")


class TestInterface:
    @pytest.mark.parametrize("name", ["AnchorLog", "RevocationBook"])
    def test_has_no_place_for_text(self, name: str) -> None:
        kinds = {
            item["type"]
            for entry in artifact(name)["abi"]
            for item in entry.get("inputs", [])
            if entry["type"] in {"function", "event"}
        }

        assert not kinds & {"string", "bytes", "string[]", "bytes[]"}


class Machine(RuleBasedStateMachine):
    """Any anchors by anybody, against what the heads must then be."""

    log: Deployed

    def __init__(self) -> None:
        super().__init__()
        self.heads: dict[bytes, tuple[int, int]] = {}
        self.salt = os.urandom(31)

    def stream(self, number: int) -> bytes:
        return self.salt + bytes([number])

    @rule(
        number=st.integers(0, 2),
        ahead=st.sampled_from([-1, 0, 1, 1, 1, 1, 2]),
        more=st.integers(-3, 300),
        who=st.sampled_from(["holder", "holder", "holder", "admin", "stranger"]),
    )
    def anchor(self, number: int, ahead: int, more: int, who: str) -> None:
        stream = self.stream(number)
        seq, size = self.heads.get(stream, (0, 0))
        wanted = (max(0, seq + ahead), max(0, size + more))
        arguments = (stream, *wanted, os.urandom(32), DIGEST)
        is_good = who == "holder" and wanted[0] == seq + 1 and wanted[1] >= size
        if is_good:
            receipt = self.log.send("anchor", *arguments)
            (event,) = self.log.events("Anchored", receipt)
            assert (event["stream"], event["seq"], event["treeSize"]) == (stream, *wanted)
            self.heads[stream] = wanted
        else:
            assert self.log.refusal("anchor", *arguments, by=getattr(self.log, who))

    @invariant()
    def holds(self) -> None:
        for number in range(3):
            stream = self.stream(number)
            assert head(self.log, stream) == self.heads.get(stream, (0, 0))


def test_any_order_of_anchors_by_anybody_keeps_the_heads(log: Deployed) -> None:
    Machine.log = log
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=15, stateful_step_count=20, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
