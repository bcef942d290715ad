"""That a block has an anchor, shown to somebody who has the block's hash and nothing else."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from contracts.models import ChainAnchor
from contracts.services import anchor_proofs, anchoring
from contracts.verifier import anchors as verifier
from core.models import LeafInbox
from tests.chain.bed import COLD, Bed
from tests.chain.test_anchor_proofs import LEAF, found, keys
from tests.vectors import js_verifier

pytestmark = [pytest.mark.chain, pytest.mark.long]


def others(bed: Bed, count: int, *, tip: int = 10**9) -> None:
    """So many transactions of somebody else wait for the next block."""
    payer = Account.from_key(COLD)
    nonce = bed.node.eth.get_transaction_count(payer.address)
    for number in range(count):
        signed = payer.sign_transaction(
            {
                "to": payer.address, "value": 1, "nonce": nonce + number, "gas": 21_000,
                "maxFeePerGas": 10**10, "maxPriorityFeePerGas": tip, "chainId": 31337,
            }
        )  # fmt: skip
        bed.node.eth.send_raw_transaction(signed.raw_transaction)


def anchored(bed: Bed, *, beside: int = 0) -> list[dict[str, Any]]:
    """The anchors of an entry, in a block with so many other transactions before it."""
    LeafInbox.objects.create(leaf=LEAF)
    bed.batch()
    others(bed, beside, tip=5 * 10**9)
    bed.round(with_log=True)
    bed.settle()
    return anchor_proofs.of_leaf(LEAF)


class TestProof:
    @pytest.mark.parametrize("beside", [0, 1, 2, 16, 40, 130, 300])
    def test_holds_in_blocks_of_any_size(self, bed: Bed, beside: int) -> None:
        (part,) = anchored(bed, beside=beside)

        (anchor,) = found([part])
        assert part["receipt"]["key"] == beside
        assert anchor.in_block

    def test_is_not_there_for_a_head_without_a_batch(self, bed: Bed) -> None:
        anchored(bed)

        assert ChainAnchor.objects.exclude(receipt=None).count() == 1

    def test_is_fetched_later_when_the_node_does_not_give_it(
        self, bed: Bed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(type(bed.chain), "receipt_proof", lambda *_args, **_more: None)
            (part,) = anchored(bed)
        assert "receipt" not in part

        bed.now += 2 * anchoring.RECHECK
        bed.round()

        assert "receipt" in anchor_proofs.of_leaf(LEAF)[0]


def changed(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each piece of the proof altered, by a byte at a time where it is bytes."""
    receipt = part["receipt"]
    for name in ("key", "log"):
        yield {**receipt, name: receipt[name] + 1}
    yield {**receipt, "nodes": receipt["nodes"][:-1] or ["80"]}
    yield {**receipt, "nodes": [*receipt["nodes"], receipt["nodes"][-1]]}
    yield {**receipt, "nodes": [*receipt["nodes"][::-1], "c0"]}
    texts: dict[Any, str] = {"header": receipt["header"], **dict(enumerate(receipt["nodes"]))}
    for name, text in texts.items():
        step = max(2, len(text) // 80 * 2)
        for at in range(0, len(text), step):
            flipped = f"{text[:at]}{int(text[at : at + 2], 16) ^ 0x01:02x}{text[at + 2 :]}"
            made = copy.deepcopy(receipt)
            if isinstance(name, int):
                made["nodes"][name] = flipped
            else:
                made["header"] = flipped
            yield made


class TestMutation:
    def test_of_anything_in_it_is_found(self, bed: Bed) -> None:
        (part,) = anchored(bed, beside=20)
        count = 0

        for receipt in changed(part):
            held, problems = verifier.examine([{**part, "receipt": receipt}], LEAF, keys())
            assert problems, receipt
            assert not any(one.in_block for one in held)
            count += 1

        assert count > 100

    @pytest.mark.parametrize(
        ("member", "value"),
        [("block_number", 1), ("block_time", 1), ("contract", "0x" + "00" * 20), ("sequence", 2),
         ("block_hash", "00" * 32)],
    )  # fmt: skip
    def test_of_what_the_anchor_says_is_found(self, bed: Bed, member: str, value: object) -> None:
        (part,) = anchored(bed)

        _, problems = verifier.examine([{**part, member: value}], LEAF, keys())

        assert problems


@js_verifier.NEEDS_NODE
@pytest.mark.parametrize("beside", [0, 1, 20, 200])
def test_the_verifier_in_javascript_says_the_same(bed: Bed, beside: int, tmp_path: Path) -> None:
    (part,) = anchored(bed, beside=beside)
    (anchor,) = found([part])
    cases = [part, *({**part, "receipt": receipt} for receipt in changed(part))]

    file = tmp_path / "cases.json"
    file.write_text(json.dumps(cases))

    said = js_verifier.evaluate(
        'import { readFileSync } from "node:fs";'
        'import { receiptProblem } from "FOLDER/in_block.mjs";'
        'import { read } from "FOLDER/strict.mjs";'
        f"const heads = read(readFileSync({json.dumps(str(file))}));"
        f"const event = {json.dumps({'topics': anchor.topics, 'data': anchor.data})};"
        "console.log(JSON.stringify(heads.map((head) => receiptProblem(head, event) === null)));"
    )

    assert said == [True, *[False] * (len(cases) - 1)]
