"""The anchors of a document: heads with its entry that chains are said to keep.

Offline only that the heads hold is checked; `confirm` asks a node whether the chain keeps them.
Formats: `docs/formats/certificate.md` and `docs/anchoring.md`.
"""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from typing import Any, Dict, List

from contracts.verifier import in_block, log

#: keccak-256 of `Anchored(bytes32,uint64,bytes32,uint64,bytes32)`, by which its logs are found.
TOPIC = "0xab2538b30e24998da6ec8193de9ddfab7a84d9ca8cd7c67484ebc298f1a3760e"
_STREAM = b"lethe:anchor:log:v1\n"
_LIMIT = 4 << 20
_PATIENCE = 20.0


class Anchor:
    """One of them, with the head that it anchors."""

    def __init__(self, part: Any, entry: log.Entry) -> None:
        self.part, self.entry = part, entry
        self.chain_id: int = part["chain_id"]
        #: Whether the file itself shows that the block with this hash has the event.
        self.in_block = False

    @property
    def topics(self) -> List[str]:
        """What the event is about: stream, sequence, root."""
        stream = hashlib.sha256(_STREAM + self.entry.origin.encode("utf-8")).hexdigest()
        return [
            TOPIC,
            "0x" + stream,
            "0x%064x" % self.part["sequence"],
            "0x" + self.entry.root.hex(),
        ]

    @property
    def data(self) -> str:
        """Size of the tree, and SHA-256 of the head as it was signed."""
        digest = hashlib.sha256(self.entry.note.encode("utf-8")).hexdigest()
        return "0x%064x%s" % (self.entry.size, digest)


def examine(parts: Any, leaf: bytes, keys: Dict[str, Any]) -> tuple[list[Anchor], list[str]]:
    """The anchors whose heads hold, and what is wrong with the others."""
    found, problems = [], []
    for number, part in enumerate(parts):
        entry = log.parse(part["proof"])
        if entry is None:
            wrong = ["the proof is not a tlog-proof with a checkpoint"]
        else:
            wrong = log.inclusion_problems(entry, leaf) or log.signature_problems(entry, keys)[0]
        if entry is not None and not wrong:
            anchor = Anchor(part, entry)
            if "receipt" in part:
                wrong = in_block.problems(part, topics=anchor.topics, data=anchor.data)
                anchor.in_block = not wrong
            found.append(anchor)
        problems += ["anchor %d: %s" % (number, one) for one in wrong]
    return found, problems


def confirm(anchors: list[Anchor], url: str) -> tuple[list[Anchor], list[str]]:
    """Those of its chain that the node at `url` shows, and what it contradicts.

    Only what the node says is learnt: name one that you trust. Nothing of the document is sent but
    transaction and block.
    """
    try:
        chain_id = int(str(_ask(url, "eth_chainId", [])), 16)
        mine = [anchor for anchor in anchors if anchor.chain_id == chain_id]
        if not mine:
            return [], ["no anchor of the file is on the chain of the node, %d" % chain_id]
        problems = [problem for anchor in mine for problem in _problems(anchor, url)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return [], ["the node gives no answer that can be read (%s)" % type(error).__name__]
    return ([] if problems else mine), problems


def _problems(anchor: Anchor, url: str) -> list[str]:
    part = anchor.part
    block = _ask(url, "eth_getBlockByNumber", [hex(part["block_number"]), False])
    receipt = _ask(url, "eth_getTransactionReceipt", ["0x" + part["tx"]])
    if not isinstance(block, dict) or str(block["hash"]).lower() != "0x" + part["block_hash"]:
        return ["the node has no such block"]
    if int(block["timestamp"], 16) != part["block_time"]:
        return ["the block has another time"]
    if not isinstance(receipt, dict) or receipt["blockHash"] != block["hash"]:
        return ["the block has no such transaction"]
    for entry in receipt["logs"]:
        where = (str(entry["address"]).lower(), int(entry["logIndex"], 16))
        if where == (part["contract"], part["log_index"]):
            same = [one.lower() for one in entry["topics"]] == anchor.topics
            return [] if same and entry["data"].lower() == anchor.data else ["it says otherwise"]
    return ["the transaction has no such event"]


def _ask(url: str, method: str, parameters: list[Any]) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    if not url.startswith(("http://", "https://")):
        raise ValueError("not an address of a node")
    request = urllib.request.Request(  # noqa: S310  its scheme was looked at
        url, json.dumps(body).encode("utf-8"), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310  the same
        content = answer.read(_LIMIT + 1)
    if len(content) > _LIMIT:
        raise ValueError("too large")
    return json.loads(content)["result"]
