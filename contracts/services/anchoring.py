"""One round on one chain: follow what is under way, look again at what was final, choose anew.

A chain that is down delays evidence and nothing else: nothing outside this process waits for it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from contracts.domain.anchors import BOOK_CONTRACT, LOG_CONTRACT, State
from contracts.domain.finality import Verdict, judge
from contracts.errors import ChainContradicts, NotDeployed
from contracts.models import ChainAnchor, ChainContract, ChainSender
from contracts.ports import AnchorChain, Block, Sender
from contracts.services import anchor_rows, choosing, following, halts, proving
from contracts.services.following import Round
from core import runtime
from core.logging import get_logger
from core.unit_of_work import no_open_transaction, unit_of_work

logger = get_logger(__name__)
#: How often a final block is looked at again.
RECHECK: Final = timedelta(days=1)
_MOST: Final = 500
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended(%s, 11))"
_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended(%s, 11))"


@no_open_transaction
def run_round(
    name: str, *, now: datetime, with_log: bool = False, with_heads: bool = False
) -> bool:
    """Go on with every anchor of the chain; choose new ones of log, status lists, other chains.

    False while another process is at it with the same sender. Raises ChainHalted, ChainUnavailable,
    ChainContradicts, NotDeployed; the next round goes on from where this one came to.
    """
    chain, sender = _chain(name), _sender(name)
    with _alone(chain, sender) as is_ours:
        if not is_ours:
            return False
        halts.require_none(name)
        contract = contract_of(name)
        require_same_chain(chain, contract)
        book = book_of(name)
        if book is not None:
            require_same_chain(chain, book)
        at = Round(chain, sender, _account(chain, sender), chain.tip(), now)
        _look_again(at)
        _require_own_nonce(at)
        if with_log:
            choosing.choose_log(contract, at)
        if with_log and book is not None:
            choosing.choose_lists(book, at)
        if with_heads:
            choosing.choose_heads(contract, at)
        _follow(at)
    return True


def contract_of(name: str) -> ChainContract:
    """The contract for heads that is in use on a chain. Raises NotDeployed."""
    found = _newest(name, LOG_CONTRACT)
    if found is None:
        raise NotDeployed(chain=name)
    return found


def book_of(name: str) -> ChainContract | None:
    """The one for status lists; None on a chain that has none."""
    return _newest(name, BOOK_CONTRACT)


def _newest(chain: str, name: str) -> ChainContract | None:
    return ChainContract.objects.filter(chain=chain, name=name).order_by("-pk").first()


def require_same_chain(chain: AnchorChain, contract: ChainContract) -> None:
    """Raise ChainContradicts unless this is the chain, with the code, that we deployed on."""
    identity = chain.identity()
    if identity.chain_id != chain.rules.chain_id or identity.chain_id != contract.chain_id:
        raise ChainContradicts(reason="another-chain-id")
    if identity.genesis != bytes(contract.genesis):
        raise ChainContradicts(reason="another-genesis")
    if chain.code_digest(contract.address) != bytes(contract.code):
        raise ChainContradicts(reason="another-code")


def _follow(at: Round) -> None:
    """Blocks first, oldest first; then what is in none. At most one is signed beyond the chain."""
    name = at.chain.rules.name
    for anchor in anchor_rows.unsettled(name):
        following.watch(anchor, at)
        if anchor.state == State.FINAL:
            proving.prove(anchor, at)
    for anchor in anchor_rows.unmined(name):
        following.push(anchor, at)
        if anchor.state != State.MINED:
            others = anchor_rows.unmined(name).filter(pk__gt=anchor.pk)
            for other in others.exclude(chainattempt=None).distinct():
                following.push(other, at)
            return


def _look_again(at: Round) -> None:
    """The newest final anchor each round, the others daily. Raises ChainHalted, ChainContradicts.

    What is not there any more is quarantined only if too few nodes still show it.
    """
    rows = anchor_rows.of_chain(at.chain.rules.name).filter(state=State.FINAL)
    old = list(rows.filter(checked_at__lt=at.now - RECHECK).order_by("checked_at")[:_MOST])
    seen: list[ChainAnchor] = []
    for anchor in [*rows.order_by("-pk")[:1], *old]:
        if not _still_there(anchor, at):
            _quarantine(anchor, at)
        seen.append(anchor)
    for anchor in seen:
        if anchor in old:
            proving.prove(anchor, at)
    anchor_rows.checked(seen, now=at.now)


def _still_there(anchor: ChainAnchor, at: Round) -> bool:
    number = anchor.block_number or 0
    block = at.chain.block(number)
    verdict = judge(
        at.chain.rules.finality,
        number=number,
        mined_in=bytes(anchor.block_hash or b""),
        now_there=None if block is None else block.hash,
        tip=at.tip,
        was_final=True,
    )
    return verdict is not Verdict.CHANGED


def _quarantine(anchor: ChainAnchor, at: Round) -> None:
    stood = Block(anchor.block_number or 0, bytes(anchor.block_hash or b""), anchor.block_time or 0)
    if at.chain.agreeing(stood) >= at.chain.rules.agree:
        raise ChainContradicts(reason="one-node-differs")
    anchor_rows.move(anchor, State.QUARANTINED, reason=halts.CHANGED, now=at.now)
    raise halts.halt(anchor.chain, halts.CHANGED, now=at.now)


def _require_own_nonce(at: Round) -> None:
    """Nobody else may have used this key; nor may this database have forgotten that it did."""
    if at.chain.spent(at.sender.address) > at.account.next_nonce:
        raise halts.halt(at.chain.rules.name, halts.SENDER_AHEAD, now=at.now)


def _account(chain: AnchorChain, sender: Sender) -> ChainSender:
    found = ChainSender.objects.filter(
        chain_id=chain.rules.chain_id, address=sender.address
    ).first()
    if found is not None:
        return found
    spent = chain.spent(sender.address)
    with unit_of_work():
        return ChainSender.objects.create(
            chain_id=chain.rules.chain_id, address=sender.address, next_nonce=spent
        )


@contextmanager
def _alone(chain: AnchorChain, sender: Sender) -> Iterator[bool]:
    """Hold the sender's lock for this session; it falls with the connection."""
    key = f"lethe:anchor:{chain.rules.chain_id}:{sender.address.lower()}"
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [key])
        (is_ours,) = cursor.fetchone()
    try:
        yield bool(is_ours)
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute(_UNLOCK, [key])


def _chain(name: str) -> AnchorChain:
    found: Mapping[str, AnchorChain] = runtime.port("chains")
    return found[name]


def _sender(name: str) -> Sender:
    found: Mapping[str, Sender] = runtime.port("senders")
    return found[name]
