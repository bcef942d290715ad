"""What is to be said on a chain next: of the log, of other chains, of status lists."""

from collections.abc import Mapping
from hashlib import sha256

from contracts.domain.anchors import (
    NO_ROOT,
    Anchored,
    block_digest,
    chain_stream,
    log_stream,
)
from contracts.domain.finality import Rule, Tip
from contracts.errors import NotLogged
from contracts.models import ChainContract, LogBatch, StatusList, StatusVersion
from contracts.ports import AnchorChain
from contracts.services import anchor_rows, halts, publishing
from contracts.services.following import Round
from core import failpoints, runtime


def choose_log(contract: ChainContract, at: Round) -> None:
    """The newest published head, if it is not anchored here yet."""
    try:
        checkpoint = publishing.latest()
    except NotLogged:
        return
    batch: LogBatch = checkpoint.batch
    stream = log_stream(checkpoint.origin)
    digest = sha256(checkpoint.note.encode()).digest()
    _choose(contract, stream, (batch.size, bytes(batch.root), digest), at, batch=batch)


def choose_heads(contract: ChainContract, at: Round) -> None:
    """The newest final block of each chain whose heads are kept here; those that answer."""
    found: Mapping[str, AnchorChain] = runtime.port("chains")
    for name in at.chain.rules.heads_of:
        other = found[name]
        identity = other.identity()
        block = other.block(final_number(other, other.tip()))
        if block is not None:
            stream = chain_stream(identity.chain_id, identity.genesis)
            digest = block_digest(identity.chain_id, block.number, block.hash)
            _choose(contract, stream, (block.number, block.hash, digest), at, batch=None)


def choose_lists(book: ChainContract, at: Round) -> None:
    """The newest version of each status list, if it is not published here yet."""
    for row in StatusList.objects.filter(version__gt=0).defer("bits").order_by("pk"):
        newest = StatusVersion.objects.defer("document").get(status_list=row, number=row.version)
        what = row.version, NO_ROOT, bytes(newest.digest)
        _choose(book, bytes(row.list_id), what, at, batch=None)


def final_number(chain: AnchorChain, tip: Tip) -> int:
    """The newest block that counts as final by the chain's rule."""
    finality = chain.rules.finality
    if finality.rule is Rule.DEPTH:
        return max(0, tip.head - finality.depth)
    return tip.head if finality.rule is Rule.INSTANT else tip.finalized


def _choose(
    contract: ChainContract, stream: bytes, what: tuple[int, bytes, bytes], at: Round, *,
    batch: LogBatch | None,
) -> None:  # fmt: skip
    """One of a stream at a time, each with the sequence after the last.

    Raises ChainHalted when the contract knows more of the stream than we do.
    """
    size, root, digest = what
    last = anchor_rows.last(contract, stream)
    if last is not None and (last.size >= size or last.block_number is None):
        return
    ours = 0 if last is None else last.sequence
    is_list = root == NO_ROOT
    there = at.chain.head(contract=contract.address, stream=stream, is_list=is_list)
    if there.sequence > max(ours, halts.accepted(contract.chain, stream)):
        raise halts.halt(contract.chain, halts.STREAM_AHEAD, now=at.now, stream=stream)
    if there.sequence < ours or there.size > size:
        return  # a re-org is under way, or the contract has accepted more of this log than we have
    sequence = there.sequence + 1
    failpoints.reach("contracts.anchor.choosing")
    anchored = Anchored(stream, sequence, 0 if is_list else size, root, digest)
    anchor_rows.choose(contract, anchored, size=size, batch=batch, now=at.now)
