"""What a document says of its anchors, as a stranger checks it: offline, then against the chain."""

import copy
from typing import Any

import pytest

from contracts.services import anchor_proofs
from contracts.verifier import anchors as verifier
from core import signing_keys
from core.models import LeafInbox
from tests.chain.bed import Bed
from tests.chain.test_lying_node import honest

pytestmark = [pytest.mark.chain, pytest.mark.long]
LEAF = bytes(range(32))


@pytest.fixture
def parts(bed: Bed) -> list[dict[str, Any]]:
    """The anchors of an entry of the second batch, while a third is anchored, too."""
    bed.batch()
    LeafInbox.objects.create(leaf=LEAF)
    for _ in range(2):
        bed.batch()
        bed.round(with_log=True)
        bed.settle()
    return anchor_proofs.of_leaf(LEAF)


def keys() -> dict[str, Any]:
    return {
        key.key_id: {"holder": key.holder, "public": key.public.hex(), "revoked_at": None}
        for key in signing_keys.of("loggerd")
    }


def found(parts: list[dict[str, Any]]) -> list[verifier.Anchor]:
    held, problems = verifier.examine(parts, LEAF, keys())
    assert problems == []
    return held


class TestOfLeaf:
    def test_is_nothing_before_a_block_is_final(self, bed: Bed) -> None:
        LeafInbox.objects.create(leaf=LEAF)
        assert anchor_proofs.of_leaf(LEAF) == []
        bed.batch()
        bed.round(with_log=True)
        bed.mine()
        bed.round()
        assert bed.states() == ["mined"]

        assert anchor_proofs.of_leaf(LEAF) == []

    def test_is_the_first_head_with_the_entry(self, parts: list[dict[str, Any]]) -> None:
        (part,) = parts

        assert (part["sequence"], part["chain_id"], part["finality"]) == (1, 31337, "tag")
        assert found(parts)[0].entry.size == 128


class TestConfirm:
    def test_finds_what_the_chain_keeps(self, bed: Bed, parts: list[dict[str, Any]]) -> None:
        held = found(parts)

        assert verifier.confirm(held, honest(bed)) == (held, [])

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("block_number", 1), ("block_hash", "ab" * 32), ("block_time", 5), ("sequence", 2),
            ("tx", "ab" * 32), ("contract", "0x" + "ab" * 20), ("log_index", 1),
        ],
    )  # fmt: skip
    def test_contradicts_whatever_else_is_said(
        self, bed: Bed, parts: list[dict[str, Any]], member: str, value: object
    ) -> None:
        changed = copy.deepcopy(parts)
        changed[0][member] = value
        del changed[0]["receipt"]  # which says so without a node

        confirmed, problems = verifier.confirm(found(changed), honest(bed))

        assert (confirmed, len(problems)) == ([], 1)

    def test_contradicts_another_head_that_the_log_signed(
        self, bed: Bed, parts: list[dict[str, Any]]
    ) -> None:
        """The anchor of the first head, shown with the proof in the second."""
        from contracts.services import proofs

        changed = [{**parts[0], "proof": proofs.inclusion(leaf=LEAF).text()}]
        del changed[0]["receipt"]

        assert verifier.confirm(found(changed), honest(bed)) == ([], ["it says otherwise"])

    def test_says_it_when_the_node_is_of_another_chain(
        self, bed: Bed, parts: list[dict[str, Any]]
    ) -> None:
        held = found([{**parts[0], "chain_id": 5}])

        confirmed, problems = verifier.confirm(held, honest(bed))

        assert confirmed == []
        assert "31337" in problems[0]

    @pytest.mark.parametrize("url", ["http://127.0.0.1:9", "file:///etc/passwd", "node"])
    def test_says_it_when_nobody_answers(self, parts: list[dict[str, Any]], url: str) -> None:
        assert verifier.confirm(found(parts), url)[0] == []
