"""A W3C Bitstring Status List (Recommendation of 2025-05-15): bits, and how they are written.

Bit 0 is the leftmost of the first byte (section 3.2 there). Format: `docs/formats/status-list.md`.
"""

import base64
import gzip
from collections.abc import Iterable
from typing import Final

#: Eight times what the Recommendation asks for, so that decoys can flip for years.
ENTRIES: Final = 1 << 20
EMPTY: Final = bytes(ENTRIES // 8)
#: At least so many bits flip in every version, whether or not anything was revoked.
FEWEST_FLIPS: Final = 8


def with_set(bits: bytes, places: Iterable[int]) -> bytes:
    """The list with these bits set. Raises IndexError beyond its end."""
    made = bytearray(bits)
    for place in places:
        if not 0 <= place < len(bits) * 8:
            raise IndexError(place)
        made[place >> 3] |= 0x80 >> (place & 7)
    return bytes(made)


def flips(revoked: int) -> int:
    """How many bits a version flips of which so many are revocations: a power of two."""
    return max(FEWEST_FLIPS, 1 << (revoked - 1).bit_length()) if revoked else FEWEST_FLIPS


def encoded(bits: bytes) -> str:
    """As `encodedList`: GZIP (RFC 1952) in multibase base64url without padding."""
    packed = gzip.compress(bits, mtime=0)
    return "u" + base64.urlsafe_b64encode(packed).decode().rstrip("=")
