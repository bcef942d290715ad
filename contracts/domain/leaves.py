"""What may enter the log, and how many enter together.

An entry is the SHA-256 of something with 32 fresh random bytes in it, so it looks like nothing.
What does not is refused: it may say something, or link two entries.
"""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

#: A batch has at least so many leaves, and a power of two: so no root covers one person.
LEAST: Final = 64
_LENGTH: Final = 32
#: So many of 32 random bytes are printable ASCII once in 10^11 cases.
_PRINTABLE: Final = 30
#: One value stands in so many of 32 random bytes once in 10^10 cases.
_SAME: Final = 8


class Refused(StrEnum):
    """Why a leaf may not enter."""

    LENGTH = "length"
    SHAPE = "shape"
    REPEATED = "repeated"


def refusal(leaf: bytes) -> Refused | None:
    """Why this leaf may not enter by itself; None when it may."""
    if len(leaf) != _LENGTH:
        return Refused.LENGTH
    printable = sum(chr(byte).isascii() and chr(byte).isprintable() for byte in leaf)
    commonest = max(Counter(leaf).values())
    return Refused.SHAPE if printable >= _PRINTABLE or commonest >= _SAME else None


def padded(count: int, *, least: int = LEAST) -> int:
    """How many leaves a batch of `count` real ones has with its decoys.

    Raises ValueError for a least that is below 64 or no power of two.
    """
    if least < LEAST or least & (least - 1):
        raise ValueError("a batch has at least 64 leaves, and a power of two")
    return max(least, 1 << max(count - 1, 0).bit_length())


def check_batch(leaves: Sequence[bytes]) -> None:
    """Raise ValueError unless the leaves may be sealed together."""
    if len(leaves) < LEAST or len(leaves) & (len(leaves) - 1):
        raise ValueError("a batch has at least 64 leaves, and a power of two")
    if len(set(leaves)) != len(leaves) or any(len(leaf) != _LENGTH for leaf in leaves):
        raise ValueError("a batch has leaves of 32 bytes, each once")
