"""Sealing to a public key: HPKE (RFC 9180) base mode, X25519, HKDF-SHA256, AES-256-GCM.

A sealed value is `0x01 | enc (32) | ciphertext`. Anyone with the public key can seal, so an
opened value proves nothing about who sealed it. `info` binds the value to its place: what is
sealed under one `info` does not open under another.
"""

from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from core.errors import IntegrityViolation

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_VERSION: Final = b"\x01"
#: Bytes that sealing adds: version, encapsulated key, authentication tag.
OVERHEAD: Final = 1 + 32 + 16


class NotAuthentic(IntegrityViolation):
    """A sealed value does not open with this key and binding."""

    code = "sealed-value-not-authentic"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An X25519 key pair, 32 raw bytes each; the private half prints redacted."""

    private: bytes = field(repr=False)
    public: bytes


def generate_key_pair() -> KeyPair:
    """Make a fresh key pair."""
    private = X25519PrivateKey.generate()
    return KeyPair(
        private=private.private_bytes_raw(), public=private.public_key().public_bytes_raw()
    )


def seal(public: bytes, plaintext: bytes, *, info: bytes) -> bytes:
    """Seal `plaintext` to `public`. Raises ValueError for a malformed key or an empty `info`."""
    if not info:
        raise ValueError("info binds the value to its place and must not be empty")
    return _VERSION + _SUITE.encrypt(plaintext, X25519PublicKey.from_public_bytes(public), info)


def open(private: bytes, sealed: bytes, *, info: bytes) -> bytes:  # noqa: A001  read as hpke.open
    """Open what `seal` made under the same `info`.

    Raises NotAuthentic, which never says which check failed, and ValueError for a malformed key.
    """
    key = X25519PrivateKey.from_private_bytes(private)
    if len(sealed) < OVERHEAD or sealed[:1] != _VERSION:
        raise NotAuthentic
    try:
        return _SUITE.decrypt(sealed[1:], key, info)
    except InvalidTag:
        raise NotAuthentic from None
