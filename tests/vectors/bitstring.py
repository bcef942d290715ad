"""Reads a Bitstring Status List by the Recommendation's own words, and by nothing of ours."""

import base64
import gzip


def decoded(text: str) -> bytes:
    """Section 3.4 of the Recommendation of 2025-05-15. Raises ValueError."""
    if text[:1] != "u":
        raise ValueError("the list is not in base64url")
    packed = base64.b64decode(text[1:] + "=" * (-len(text[1:]) % 4), altchars=b"-_", validate=True)
    return gzip.decompress(packed)


def is_set(bits: bytes, place: int) -> bool:
    """Bit 0 is the leftmost."""
    return f"{bits[place // 8]:08b}"[place % 8] == "1"
