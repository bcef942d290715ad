"""Ed25519 verification (RFC 8032): by `cryptography` where installed, else in plain Python.

Both answer alike: S below the group order, and R compared as bytes. Verification only; the plain
version is not constant in time and must never see a private key.
"""

from __future__ import annotations

import hashlib
from typing import Tuple

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except Exception:  # noqa: BLE001  a broken installation must not stop the verifier
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = True

Point = Tuple[int, int, int, int]

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)
_BYTES = 32


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) of `message` is by `public` (32 bytes). Never raises."""
    if HAS_CRYPTOGRAPHY:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        except UnsupportedAlgorithm:
            return verify_plain(public, message, signature)
        return True
    return verify_plain(public, message, signature)


def verify_plain(public: bytes, message: bytes, signature: bytes) -> bool:
    """The same in plain Python: R = [S]B - [h]A."""
    if len(public) != _BYTES or len(signature) != 2 * _BYTES:
        return False
    key = _decompress(public)
    scalar = int.from_bytes(signature[_BYTES:], "little")
    if key is None or scalar >= _L:
        return False
    digest = hashlib.sha512(signature[:_BYTES] + public + message).digest()
    challenge = int.from_bytes(digest, "little") % _L
    minus_key = (_P - key[0], key[1], key[2], _P - key[3])
    point = _add(_multiply(scalar, _BASE), _multiply(challenge, minus_key))
    return _compress(point) == signature[:_BYTES]


def _add(one: Point, two: Point) -> Point:
    """Extended coordinates (X, Y, Z, T), RFC 8032 section 5.1.4; complete, so also doubles."""
    a = (one[1] - one[0]) * (two[1] - two[0]) % _P
    b = (one[1] + one[0]) * (two[1] + two[0]) % _P
    c = 2 * one[3] * two[3] * _D % _P
    d = 2 * one[2] * two[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _multiply(scalar: int, point: Point) -> Point:
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _recover_x(y: int, sign: int) -> int | None:
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    return _P - x if x & 1 != sign else x


def _decompress(encoded: bytes) -> Point | None:
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    x = None if y >= _P else _recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % _P)


def _compress(point: Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(_BYTES, "little")


_BASE_Y = 4 * pow(5, _P - 2, _P) % _P
_BASE_X = _recover_x(_BASE_Y, 0) or 0
_BASE = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)
