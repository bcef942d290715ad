"""Where chains keep a head with an entry: the first final anchor of each, and its proof."""

from typing import Any

from contracts.domain import tree
from contracts.domain.anchors import State
from contracts.domain.checkpoint import proof_text
from contracts.models import ChainAnchor, LogCheckpoint, LogLeaf
from contracts.services import tree_rows


def of_leaf(leaf: bytes) -> list[dict[str, Any]]:
    """The `anchors` of a document's log part, a chain after the other; none while none is final.

    The first head with the entry says most about when it was there. Raises LogBroken.
    """
    row = LogLeaf.objects.filter(leaf=leaf).first()
    if row is None:
        return []
    anchors = ChainAnchor.objects.filter(state=State.FINAL, batch__size__gt=row.index)
    first = anchors.order_by("chain", "size", "pk").distinct("chain")
    return [_part(anchor, row.index) for anchor in first.select_related("contract")]


def _part(anchor: ChainAnchor, index: int) -> dict[str, Any]:
    """Its proof carries the checkpoint as it was signed, which is what the digest is of."""
    checkpoint = LogCheckpoint.objects.get(batch_id=anchor.batch_id)
    path = tree.inclusion(tree_rows.StoredNodes(anchor.size), index=index, size=anchor.size)
    receipt = {} if anchor.receipt is None else {"receipt": anchor.receipt}
    return {
        **receipt,
        "chain_id": anchor.contract.chain_id,
        "contract": anchor.contract.address.lower(),
        "sequence": anchor.sequence,
        "tx": bytes(anchor.tx_hash or b"").hex(),
        "block_number": anchor.block_number,
        "block_hash": bytes(anchor.block_hash or b"").hex(),
        "block_time": anchor.block_time,
        "log_index": anchor.log_index,
        "finality": anchor.finality,
        "proof": proof_text(index=index, path=path, checkpoint=checkpoint.note),
    }
