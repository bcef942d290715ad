"""Hiding, binding commitments to JSON payloads (`docs/formats/commitment.md`).

`leaf = SHA-256(0x00 | tag | r | SHA-256(canonical payload))`. Who holds neither payload nor `r`
learns nothing from the leaf: `r` is 32 fresh random bytes, so there is nothing to guess against.
Deleting `r` therefore unlinks a leaf from its payload for good (hiding is computational).
"""

import hmac
import os
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Self

from core import canonical

#: Tags have one width, so that no two inputs of the hash can share their bytes.
TAG_BYTES: Final = 8
RANDOM_BYTES: Final = 32

AUDIT_EVENT: Final = b"audit.v1"
SHOWN_TEXT: Final = b"texts.v1"


@dataclass(frozen=True, slots=True)
class Commitment:
    """A leaf and the random bytes that open it; `r` is secret and prints redacted."""

    r: bytes = field(repr=False)
    leaf: bytes

    def pack(self) -> bytes:
        """`r | leaf`, 64 bytes: the opening as it is sealed."""
        return self.r + self.leaf

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """Read what `pack` wrote. Raises ValueError."""
        if len(packed) != 2 * RANDOM_BYTES:
            raise ValueError("an opening has 64 bytes")
        return cls(r=packed[:RANDOM_BYTES], leaf=packed[RANDOM_BYTES:])


def commit(payload: Any, *, tag: bytes) -> Commitment:
    """Commit to `payload` under fresh randomness.

    Raises ValueError when `payload` has no canonical form or `tag` not 8 bytes.
    """
    r = os.urandom(RANDOM_BYTES)
    return Commitment(r=r, leaf=leaf_of(payload, tag=tag, r=r))


def opens(commitment: Commitment, payload: Any, *, tag: bytes) -> bool:
    """Whether `payload` is what `commitment` was made for."""
    return hmac.compare_digest(leaf_of(payload, tag=tag, r=commitment.r), commitment.leaf)


def leaf_of(payload: Any, *, tag: bytes, r: bytes) -> bytes:
    """The leaf for given randomness; only for checking, never reuse `r`."""
    if len(tag) != TAG_BYTES or len(r) != RANDOM_BYTES:
        raise ValueError("a tag has 8 bytes and r has 32")
    return sha256(b"\x00" + tag + r + sha256(canonical.encode(payload)).digest()).digest()
