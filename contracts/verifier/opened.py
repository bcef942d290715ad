"""Events of the log that a document opens, with the proofs that the log has them."""

from __future__ import annotations

from typing import Any, List, NamedTuple, Optional, Tuple

from contracts.verifier import anchors, log, stamps
from contracts.verifier.envelope import Keys


class Opened(NamedTuple):
    """One of them: problems by the check they belong to; what was found if there are none."""

    unread: List[str]
    inclusion: List[str]
    head: List[str]
    anchored: List[str]
    stamped: List[str]
    entry: Optional[log.Entry]
    anchors: List[anchors.Anchor]
    stamp: Optional[stamps.Stamp]
    key: Optional[Tuple[str, str, str]]


def examine(part: Any, keys: Keys) -> Opened:
    """Whether the log has the event of `part`, and which heads with it chains are said to keep."""
    entry = log.parse(part["proof"])
    if entry is None:
        wrong = ["the proof is not a tlog-proof with a checkpoint"]
        return Opened(wrong, [], [], [], [], None, [], None, None)
    leaf = log.commitment(part["event"], bytes.fromhex(part["r"]))
    inclusion = log.inclusion_problems(entry, leaf)
    head, key = log.signature_problems(entry, keys)
    found, anchored = anchors.examine(part.get("anchors", []), leaf, keys)
    stamp, stamped = stamps.examine(part["stamp"], leaf, keys) if "stamp" in part else (None, [])
    own = None if inclusion or head else entry
    return Opened([], inclusion, head, anchored, stamped, own, found, stamp, key)


_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"


def uuid_of(public: str) -> str:
    """The UUID in a public id (`docs/formats/identifiers.md`)."""
    number = 0
    for letter in public.partition("_")[2]:
        number = number << 5 | _LETTERS.index(letter)
    text = "%032x" % number
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
