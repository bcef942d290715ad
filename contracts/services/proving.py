"""That a final block has an anchor, kept for those who have nothing but the block's hash."""

from typing import Any

from contracts.domain.finality import Rule
from contracts.errors import ChainContradicts, ChainUnavailable
from contracts.models import ChainAnchor
from contracts.ports import Block
from contracts.services import anchor_rows
from contracts.services.following import Round
from contracts.verifier import in_block
from contracts.verifier.anchors import TOPIC
from core.logging import get_logger
from core.unit_of_work import unit_of_work

logger = get_logger(__name__)


def prove(anchor: ChainAnchor, at: Round) -> None:
    """Fetch and keep the proof of a final anchor of the log that has none; later, if not now.

    Kept only if it holds by the verifier's own check. Chains that are final at once hash their
    blocks in ways of their own: they are not asked.
    """
    if anchor.receipt is not None or anchor.batch_id is None:
        return
    if at.chain.rules.finality.rule is Rule.INSTANT or anchor.log_index is None:
        return
    block = Block(anchor.block_number or 0, bytes(anchor.block_hash or b""), anchor.block_time or 0)
    try:
        found = at.chain.receipt_proof(
            block, tx_hash=bytes(anchor.tx_hash or b""), log_index=anchor.log_index
        )
    except (ChainUnavailable, ChainContradicts) as error:
        logger.warning("anchor.not_proven", chain=anchor.chain, code=error.code)
        return
    if found is not None and _holds(anchor, found.as_part()):
        with unit_of_work():
            anchor.receipt = found.as_part()
            anchor.save(update_fields=["receipt"])


def _holds(anchor: ChainAnchor, receipt: dict[str, Any]) -> bool:
    what = anchor_rows.anchored(anchor)
    part = {
        "receipt": receipt,
        "contract": anchor.contract.address.lower(),
        "block_number": anchor.block_number,
        "block_hash": bytes(anchor.block_hash or b"").hex(),
        "block_time": anchor.block_time,
    }
    topics = [TOPIC, f"0x{what.stream.hex()}", f"0x{what.sequence:064x}", f"0x{what.root.hex()}"]
    data = f"0x{what.size:064x}{what.digest.hex()}"
    problems = in_block.problems(part, topics=topics, data=data)
    if problems:
        logger.warning("anchor.not_proven", chain=anchor.chain, reason=problems[0])
    return not problems
