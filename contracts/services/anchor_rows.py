"""Rows of anchors: chosen, signed, moved from state to state. One process at a time writes them."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import QuerySet

from contracts.domain.anchors import NO_ROOT, UNMINED, UNSETTLED, Anchored, State, may_follow
from contracts.domain.fees import Offer
from contracts.domain.finality import Rule
from contracts.models import (
    ChainAnchor,
    ChainAttempt,
    ChainContract,
    ChainSender,
    ChainStep,
    LogBatch,
)
from contracts.ports import Block, Inclusion, Sender
from core.unit_of_work import requires_unit_of_work, unit_of_work


def of_chain(chain: str) -> QuerySet[ChainAnchor]:
    """Anchors of a chain, in the order in which they were chosen."""
    return ChainAnchor.objects.filter(chain=chain).select_related("contract").order_by("pk")


def unmined(chain: str) -> QuerySet[ChainAnchor]:
    """Those that are in no block."""
    return of_chain(chain).filter(state__in=UNMINED)


def unsettled(chain: str) -> QuerySet[ChainAnchor]:
    """Those whose block may be taken back."""
    return of_chain(chain).filter(state__in=UNSETTLED)


def attempts(anchor: ChainAnchor) -> list[ChainAttempt]:
    """Its transactions, oldest first."""
    return list(anchor.chainattempt_set.select_related("sender").order_by("pk"))


def anchored(anchor: ChainAnchor) -> Anchored:
    """What its transaction says; the version of a status list is not in it."""
    root = bytes(anchor.root)
    size = 0 if root == NO_ROOT else anchor.size
    return Anchored(bytes(anchor.stream), anchor.sequence, size, root, bytes(anchor.digest))


def last(contract: ChainContract, stream: bytes) -> ChainAnchor | None:
    """The newest of a stream that did not fail."""
    rows = ChainAnchor.objects.filter(contract=contract, stream=stream)
    return rows.exclude(state=State.FAILED).order_by("-sequence").first()


def choose(
    contract: ChainContract, what: Anchored, *, size: int, batch: LogBatch | None, now: datetime
) -> ChainAnchor:
    """Remember that this is to be anchored; `size` orders what is said of a stream."""
    with unit_of_work():
        anchor = ChainAnchor.objects.create(
            chain=contract.chain,
            contract=contract,
            batch=batch,
            stream=what.stream,
            sequence=what.sequence,
            size=size,
            root=what.root,
            digest=what.digest,
            state=State.QUEUED,
            chosen_at=now,
        )
        ChainStep.objects.create(anchor=anchor, state=State.QUEUED, at=now)
    return anchor


def sign(
    anchor: ChainAnchor, sender: Sender, offer: Offer, *,
    row: ChainSender, nonce: int | None, gas_limit: int, height: int, now: datetime,
) -> ChainAttempt:  # fmt: skip
    """Sign and store one attempt in one commit, before anybody sees it.

    Without `nonce` the sender's next is taken under its lock; the same lock keeps two processes
    from giving one out twice.
    """
    with unit_of_work():
        held = ChainSender.objects.select_for_update().get(pk=row.pk)
        if nonce is None:
            nonce, held.next_nonce = held.next_nonce, held.next_nonce + 1
            held.save(update_fields=["next_nonce"])
        signed = sender.sign(
            anchored(anchor), contract=anchor.contract.address, chain_id=held.chain_id,
            nonce=nonce, gas_limit=gas_limit, offer=offer,
        )  # fmt: skip
        made = ChainAttempt.objects.create(
            anchor=anchor,
            sender=held,
            nonce=nonce,
            raw=signed.raw,
            tx_hash=signed.tx_hash,
            max_fee=offer.max_fee,
            tip=offer.tip,
            is_legacy=offer.is_legacy,
            height=height,
            signed_at=now,
        )
        if anchor.state in {State.QUEUED, State.STUCK}:
            _step(anchor, State.SIGNED, "", now=now)
    return made


def move(anchor: ChainAnchor, state: State, *, reason: str = "", now: datetime) -> None:
    """Go to another state, which leaves a block's place behind unless it is one in a block."""
    if (anchor.state, anchor.reason) == (state, reason):
        return
    with unit_of_work():
        _step(anchor, state, reason, now=now)


def include(
    anchor: ChainAnchor, attempt: ChainAttempt, found: Inclusion, block: Block, *, now: datetime
) -> None:
    """It is in this block."""
    with unit_of_work():
        anchor.tx_hash = attempt.tx_hash
        anchor.block_number, anchor.block_hash = block.number, block.hash
        anchor.block_time, anchor.log_index = block.time, found.log_index
        _step(anchor, State.MINED, "", now=now)


def finish(anchor: ChainAnchor, rule: Rule, *, now: datetime) -> None:
    """It is in a block that is final by this rule."""
    with unit_of_work():
        anchor.finality = rule.value
        anchor.final_at = anchor.checked_at = now
        _step(anchor, State.FINAL, "", now=now)


def checked(found: Sequence[ChainAnchor], *, now: datetime) -> None:
    """They were looked at again, and were there."""
    with unit_of_work():
        ChainAnchor.objects.filter(pk__in=[one.pk for one in found]).update(checked_at=now)


@requires_unit_of_work
def _step(anchor: ChainAnchor, state: State, reason: str, *, now: datetime) -> None:
    before = State(anchor.state)
    if before is not state and not may_follow(before, state):
        message = f"an anchor cannot go from {before} to {state}"
        raise ValueError(message)
    if state in UNMINED:
        anchor.tx_hash = anchor.block_hash = None
        anchor.block_number = anchor.block_time = anchor.log_index = anchor.receipt = None
    anchor.state, anchor.reason = state, reason
    anchor.save()
    ChainStep.objects.create(anchor=anchor, state=state, reason=reason, at=now)
