"""When what a chain shows may be believed, by the rule that is configured for it.

A public chain may take blocks back until it calls them finalized; on a BFT chain a block is final.
A rule is configuration, since "finalized" means different things on different chains.
"""

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """TAG: the node's `finalized` block; DEPTH: so many blocks on top; INSTANT: at once."""

    TAG = "tag"
    DEPTH = "depth"
    INSTANT = "instant"


class Verdict(StrEnum):
    """What became of a mined transaction.

    GONE: its block is not in the chain any more, which may happen until it is FINAL. CHANGED: nor
    is one that was FINAL, which never may; stop, and page. UNSEEN: this node is not there yet.
    """

    UNSEEN = "unseen"
    MINED = "mined"
    SAFE = "safe"
    FINAL = "final"
    GONE = "gone"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Finality:
    """A chain's rule; `depth` in blocks, for DEPTH alone."""

    rule: Rule
    depth: int = 0

    def __post_init__(self) -> None:
        if (self.rule is Rule.DEPTH) != (self.depth > 0):
            raise ValueError("a depth belongs to the rule `depth`, and to no other")


@dataclass(frozen=True, slots=True)
class Tip:
    """The chain's end as one node tells it: numbers of the newest, safe and finalized blocks."""

    head: int
    safe: int
    finalized: int


def judge(
    finality: Finality, *, number: int, mined_in: bytes, now_there: bytes | None, tip: Tip,
    was_final: bool,
) -> Verdict:  # fmt: skip
    """What to believe of a transaction that was mined in block `number` with hash `mined_in`.

    `now_there` is the hash that the node gives for that number now, None when it has no such
    block: always ask by number, since a receipt outlives its block for a moment.
    """
    if number > tip.head:
        return Verdict.UNSEEN
    if now_there != mined_in:
        return Verdict.CHANGED if was_final else Verdict.GONE
    if was_final or number <= _final_upto(finality, tip):
        return Verdict.FINAL
    return Verdict.SAFE if finality.rule is Rule.TAG and number <= tip.safe else Verdict.MINED


def _final_upto(finality: Finality, tip: Tip) -> int:
    if finality.rule is Rule.INSTANT:
        return tip.head
    if finality.rule is Rule.DEPTH:
        return tip.head - finality.depth
    return tip.finalized
