"""Keccak-256 as Ethereum has it: the sponge of FIPS 202 with the padding from before it."""

from __future__ import annotations

_RATE = 136
_MASK = (1 << 64) - 1
#: Rotation of lane (x, y), at x + 5 * y (FIPS 202, section 3.2.2).
_ROTATIONS = (
    0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14,
)  # fmt: skip


def keccak256(content: bytes) -> bytes:
    """The digest, 32 bytes."""
    lanes = [0] * 25
    padding = bytearray(_RATE - len(content) % _RATE)
    padding[0] |= 0x01
    padding[-1] |= 0x80
    padded = content + bytes(padding)
    for start in range(0, len(padded), _RATE):
        for lane in range(_RATE // 8):
            at = start + 8 * lane
            lanes[lane] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _constants() -> list[int]:
    """The round constants, by the shift register of FIPS 202, section 3.2.5."""
    found, register = [], 1
    for _ in range(24):
        constant = 0
        for power in range(7):
            if register & 1:
                constant |= 1 << (1 << power) - 1
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
        found.append(constant)
    return found


_CONSTANTS = _constants()


def _permuted(a: list[int]) -> list[int]:
    for constant in _CONSTANTS:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        d = [c[(x + 4) % 5] ^ _rotated(c[(x + 1) % 5], 1) for x in range(5)]
        b = [0] * 25
        for y in range(5):
            for x in range(5):
                at = x + 5 * y
                b[y + 5 * ((2 * x + 3 * y) % 5)] = _rotated(a[at] ^ d[x], _ROTATIONS[at])
        a = [
            b[at] ^ (~b[(at + 1) % 5 + at // 5 * 5] & b[(at + 2) % 5 + at // 5 * 5])
            for at in range(25)
        ]
        a[0] ^= constant
    return a


def _rotated(lane: int, by: int) -> int:
    return (lane << by | lane >> (64 - by)) & _MASK
