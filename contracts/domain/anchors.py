"""Anchors: what is said of a log on a chain, and the states that saying it goes through."""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

#: A stream's id is a digest of what it is about, so that contracts hold no text.
_LOG, _CHAIN = b"lethe:anchor:log:v1\n", b"lethe:anchor:chain:v1\n"


#: What a status list has in the place of a root.
NO_ROOT: Final = bytes(32)
#: The contracts: for heads, and for status lists.
LOG_CONTRACT, BOOK_CONTRACT = "AnchorLog", "RevocationBook"


class State(StrEnum):
    """Where an anchor stands; `docs/anchoring.md` has the picture.

    QUEUED: chosen, nothing signed. SIGNED: the raw transaction is stored. SENT: a node has it.
    MINED, SAFE, FINAL: in a block, by the chain's rule. ORPHANED: its block was taken back.
    STUCK: costs more than is allowed, or the sender is poor; goes on by itself. FAILED: the
    contract refused it, for good. QUARANTINED: what was final is not there any more.
    """

    QUEUED = "queued"
    SIGNED = "signed"
    SENT = "sent"
    MINED = "mined"
    SAFE = "safe"
    FINAL = "final"
    ORPHANED = "orphaned"
    STUCK = "stuck"
    FAILED = "failed"
    QUARANTINED = "quarantined"


#: Not in a block: nothing else is begun on the chain meanwhile, so nonces never have holes.
UNMINED: Final = frozenset({State.QUEUED, State.SIGNED, State.SENT, State.ORPHANED, State.STUCK})
#: In a block that may be taken back.
UNSETTLED: Final = frozenset({State.MINED, State.SAFE})
#: Ended in a way that only a person mends; the chain is halted.
BROKEN: Final = frozenset({State.FAILED, State.QUARANTINED})

_FOLLOWERS: Final = {
    State.QUEUED: {State.SIGNED, State.STUCK},
    State.SIGNED: {State.SENT, State.MINED, State.STUCK, State.FAILED},
    State.SENT: {State.MINED, State.STUCK, State.FAILED},
    State.STUCK: {State.SIGNED, State.SENT, State.MINED, State.FAILED},
    State.MINED: {State.SAFE, State.FINAL, State.ORPHANED, State.FAILED},
    State.SAFE: {State.FINAL, State.ORPHANED, State.MINED, State.FAILED},
    State.ORPHANED: {State.SENT, State.MINED, State.STUCK, State.FAILED},
    State.FINAL: {State.QUARANTINED},
    State.FAILED: set(),
    State.QUARANTINED: {State.ORPHANED},
}


def may_follow(before: State, after: State) -> bool:
    """Whether an anchor may go from one state to the other; never from FINAL to less than alarm."""
    return after in _FOLLOWERS[before]


@dataclass(frozen=True, slots=True)
class Anchored:
    """The arguments of `AnchorLog.anchor` or `RevocationBook.publishList`, and of their events.

    For a log: its tree's size and root, and SHA-256 of the signed checkpoint. For another chain: a
    final block's number and hash, and the digest that `block_digest` makes. For a status list: its
    id as the stream, no size and no root, and SHA-256 of the version.
    """

    stream: bytes
    sequence: int
    size: int
    root: bytes
    digest: bytes

    @property
    def is_list(self) -> bool:
        """Whether it is a status list's; no tree and no block has such a root."""
        return self.root == NO_ROOT


def log_stream(origin: str) -> bytes:
    """The stream of a log (or of one generation of it), 32 bytes."""
    return sha256(_LOG + origin.encode()).digest()


def chain_stream(chain_id: int, genesis: bytes) -> bytes:
    """The stream in which another chain's heads are kept, 32 bytes."""
    return sha256(_CHAIN + b"%d\n" % chain_id + genesis).digest()


def block_digest(chain_id: int, number: int, block: bytes) -> bytes:
    """What stands for the checkpoint's digest where a chain's head is anchored."""
    return sha256(_CHAIN + b"%d\n%d\n" % (chain_id, number) + block).digest()
