"""One anchor followed: sent, offered at a higher price, found in a block, lost again, final."""

from dataclasses import dataclass
from datetime import datetime

from contracts.domain.anchors import State
from contracts.domain.fees import Offer, first_offer, raised_offer
from contracts.domain.finality import Tip, Verdict, judge
from contracts.errors import ChainContradicts
from contracts.models import ChainAnchor, ChainAttempt, ChainSender
from contracts.ports import AnchorChain, Answer, Sender
from contracts.services import anchor_rows, halts
from core import failpoints
from core.logging import get_logger

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round works with; `tip` was read at its beginning."""

    chain: AnchorChain
    sender: Sender
    account: ChainSender
    tip: Tip
    now: datetime


def watch(anchor: ChainAnchor, at: Round) -> None:
    """Look again, by number, at the block of an anchor that is in one.

    Raises ChainHalted when the contract's refusal of it is final, ChainContradicts,
    ChainUnavailable.
    """
    number = _number(anchor)
    block = at.chain.block(number)
    verdict = judge(
        at.chain.rules.finality,
        number=number,
        mined_in=bytes(anchor.block_hash or b""),
        now_there=None if block is None else block.hash,
        tip=at.tip,
        was_final=False,
    )
    if verdict is Verdict.GONE:
        anchor_rows.move(anchor, State.ORPHANED, now=at.now)
        push(anchor, at)
    elif verdict is Verdict.FINAL:
        _finish(anchor, at)
    elif verdict in {Verdict.MINED, Verdict.SAFE}:
        anchor_rows.move(anchor, State(verdict.value), now=at.now)


def push(anchor: ChainAnchor, at: Round) -> None:
    """Bring an anchor that is in no block nearer to one: look for it, sign, send, offer more.

    Raises ChainHalted when its nonce was used by something else, ChainContradicts,
    ChainUnavailable.
    """
    made = anchor_rows.attempts(anchor)
    if _found(anchor, made, at):
        return
    if not made:
        first = _first(anchor, at)
        if first is None:
            return
        made = [first]
    failpoints.reach("contracts.anchor.signed")
    answer = _send(anchor, made, at)
    failpoints.reach("contracts.anchor.sent")
    if answer is Answer.SPENT:
        _spent(anchor, made, at)
    elif answer is Answer.POOR:
        _stick(anchor, "balance", at)
    elif answer is Answer.REFUSED:
        _stick(anchor, "node-refuses", at)
    elif at.tip.head - made[-1].height >= at.chain.rules.patience:
        _raise(anchor, made[-1], at)
    elif anchor.reason != "fee-cap":
        anchor_rows.move(anchor, State.SENT, now=at.now)


def _found(anchor: ChainAnchor, made: list[ChainAttempt], at: Round) -> bool:
    """Any attempt may have won. A receipt outlives its block for a moment, so the block decides."""
    for attempt in made:
        found = at.chain.inclusion(bytes(attempt.tx_hash), contract=anchor.contract.address)
        if found is None:
            continue
        if found.anchored is not None and found.anchored != anchor_rows.anchored(anchor):
            raise ChainContradicts(reason="receipt-of-another-anchor")
        block = at.chain.block(found.block_number)
        if block is None or block.hash != found.block_hash:
            continue
        anchor_rows.include(anchor, attempt, found, block, now=at.now)
        return True
    return False


def _first(anchor: ChainAnchor, at: Round) -> ChainAttempt | None:
    """The first attempt; none while the contract would refuse it or it costs too much."""
    refusal = at.chain.refusal(
        anchor_rows.anchored(anchor), contract=anchor.contract.address, sender=at.sender.address
    )
    if refusal is not None:
        _stick(anchor, refusal[:40], at)
        return None
    offer = _fresh(at)
    if offer is None:
        _stick(anchor, "fee-cap", at)
        return None
    return _signed(anchor, offer, None, at)


def _send(anchor: ChainAnchor, made: list[ChainAttempt], at: Round) -> Answer:
    """The stored bytes, nothing else; all of them after a re-org, the newest otherwise."""
    chosen = made if anchor.state == State.ORPHANED else made[-1:]
    answers = [at.chain.send(bytes(attempt.raw)) for attempt in chosen]
    return answers[-1]


def _raise(anchor: ChainAnchor, last: ChainAttempt, at: Round) -> None:
    """Offer more under the same nonce, where the policy allows it."""
    had = Offer(int(last.max_fee), int(last.tip), last.is_legacy)
    rules = at.chain.rules
    offer = raised_offer(rules.fees, had, gas_limit=rules.gas_limit, fresh=_fresh(at))
    if offer is None or last.sender_id != at.account.pk:
        _stick(anchor, "fee-cap", at)
        return
    attempt = _signed(anchor, offer, last.nonce, at)
    failpoints.reach("contracts.anchor.raised")
    at.chain.send(bytes(attempt.raw))
    anchor_rows.move(anchor, State.SENT, now=at.now)


def _signed(anchor: ChainAnchor, offer: Offer, nonce: int | None, at: Round) -> ChainAttempt:
    return anchor_rows.sign(
        anchor, at.sender, offer,
        row=at.account, nonce=nonce, gas_limit=at.chain.rules.gas_limit, height=at.tip.head,
        now=at.now,
    )  # fmt: skip


def _fresh(at: Round) -> Offer | None:
    fees, rules = at.chain.fees(), at.chain.rules
    return first_offer(
        rules.fees, gas_limit=rules.gas_limit, base_fee=fees.base_fee, tips=fees.tips
    )


def _spent(anchor: ChainAnchor, made: list[ChainAttempt], at: Round) -> None:
    """The nonce is used: by an attempt whose receipt comes later, or by something else."""
    if not _found(anchor, made, at) and at.tip.head - made[-1].height >= at.chain.rules.patience:
        raise halts.halt(anchor.chain, halts.NONCE_TAKEN, now=at.now)


def _stick(anchor: ChainAnchor, reason: str, at: Round) -> None:
    if anchor.state != State.STUCK or anchor.reason != reason:
        logger.error("anchor.stuck", chain=anchor.chain, reason=reason)
    anchor_rows.move(anchor, State.STUCK, reason=reason, now=at.now)


def _finish(anchor: ChainAnchor, at: Round) -> None:
    """Final by the chain's rule; believed when the receipt still says so, on enough nodes."""
    block = at.chain.block(_number(anchor))
    found = at.chain.inclusion(bytes(anchor.tx_hash or b""), contract=anchor.contract.address)
    if block is None or found is None or found.block_hash != bytes(anchor.block_hash or b""):
        raise ChainContradicts(reason="receipt-moved")
    if found.anchored not in {None, anchor_rows.anchored(anchor)}:
        raise ChainContradicts(reason="receipt-of-another-anchor")
    if at.chain.agreeing(block) < at.chain.rules.agree:
        logger.error("anchor.nodes_disagree", chain=anchor.chain, anchor=anchor.pk)
        return
    if found.anchored is None:
        anchor_rows.move(anchor, State.FAILED, reason="refused", now=at.now)
        raise halts.halt(anchor.chain, halts.REFUSED, now=at.now)
    anchor_rows.finish(anchor, at.chain.rules.finality.rule, now=at.now)


def _number(anchor: ChainAnchor) -> int:
    if anchor.block_number is None:
        raise ValueError("an anchor in a block has its number")
    return anchor.block_number
