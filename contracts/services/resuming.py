"""Going on after a halt: a person has looked, and answers for what the rows take from the chain."""

from collections.abc import Mapping
from datetime import datetime

from contracts.domain.anchors import State
from contracts.errors import NothingHalted
from contracts.models import ChainContract, ChainHalt, ChainSender, StatusList
from contracts.ports import AnchorChain
from contracts.services import anchor_rows, anchoring, halts
from core import audit, runtime
from core.actors import Actor
from core.unit_of_work import no_open_transaction, unit_of_work


@no_open_transaction
def resume(name: str, *, operator: Actor, now: datetime) -> ChainHalt:
    """End the chain's halt, by what it is about.

    - `final-changed`: what is gone is sent again, the same bytes;
    - `sender-ahead`: nonces go on from where the chain is;
    - `stream-ahead`: sequences go on from where the contract is;
    - `nonce-taken`: the anchor has failed, its head is anchored under another nonce;
    - `anchor-refused`: the head is anchored anew, once the contract would take it.

    Raises NothingHalted, ChainUnavailable, ChainContradicts, NotDeployed.
    """
    halt = halts.current(name)
    if halt is None:
        raise NothingHalted(chain=name)
    found: Mapping[str, AnchorChain] = runtime.port("chains")
    chain = found[name]
    contract = anchoring.contract_of(name)
    anchoring.require_same_chain(chain, contract)
    _return_lost(chain, now=now)
    _give_up_taken(chain, now=now)
    _follow_nonces(chain)
    if halt.stream is not None:
        halt.accepted = _accepted(chain, contract, bytes(halt.stream))
    with unit_of_work():
        halt.ended_at, halt.ended_by = now, operator.id
        halt.save()
        audit.record(
            action="contracts.chain.resumed",
            actor=operator,
            controller_id=None,
            now=now,
            details={"chain": name, "reason": halt.reason},
        )
    return halt


def _accepted(chain: AnchorChain, contract: ChainContract, stream: bytes) -> int:
    """How far the contract has come with a stream; a status list is in a book."""
    book = anchoring.book_of(contract.chain)
    if book is not None and StatusList.objects.filter(list_id=stream).exists():
        return chain.head(contract=book.address, stream=stream, is_list=True).sequence
    return chain.head(contract=contract.address, stream=stream).sequence


def _return_lost(chain: AnchorChain, *, now: datetime) -> None:
    """What was final, or said to be gone, is looked for again; where it is in no block, sent."""
    rows = anchor_rows.of_chain(chain.rules.name)
    for anchor in rows.filter(state=State.FINAL):
        block = chain.block(anchor.block_number or 0)
        if block is None or block.hash != bytes(anchor.block_hash or b""):
            anchor_rows.move(anchor, State.QUARANTINED, reason=halts.CHANGED, now=now)
    for anchor in rows.filter(state=State.QUARANTINED):
        anchor_rows.move(anchor, State.ORPHANED, now=now)


def _give_up_taken(chain: AnchorChain, *, now: datetime) -> None:
    """An anchor whose nonce is spent without a receipt of its own can never be mined."""
    for anchor in anchor_rows.unmined(chain.rules.name):
        made = anchor_rows.attempts(anchor)
        if not made or chain.spent(made[0].sender.address) <= made[0].nonce:
            continue
        receipts = [
            chain.inclusion(bytes(one.tx_hash), contract=anchor.contract.address) for one in made
        ]
        if not any(receipts):
            anchor_rows.move(anchor, State.FAILED, reason=halts.NONCE_TAKEN, now=now)


def _follow_nonces(chain: AnchorChain) -> None:
    """A key that was used beyond what we know goes on behind that."""
    for account in ChainSender.objects.filter(chain_id=chain.rules.chain_id):
        spent = chain.spent(account.address)
        with unit_of_work():
            ChainSender.objects.filter(pk=account.pk, next_nonce__lt=spent).update(next_nonce=spent)
