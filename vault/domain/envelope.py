"""The sealed form of one document: `0x01 ‖ nonce(12) ‖ AES-256-GCM ciphertext and tag`.

A data key seals at most a few thousand records of one person, so random 96-bit nonces stay far
below the 2^32 messages that NIST SP 800-38D §8.3 allows per key.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT_V1 = b"\x01"
NONCE_BYTES = 12
KEY_BYTES = 32
OVERHEAD = len(FORMAT_V1) + NONCE_BYTES + 16


class NotAuthentic(Exception):
    """The bytes do not open under this key and binding. Never says which of them is wrong."""


def seal(*, key: bytes, binding: bytes, document: bytes) -> bytes:
    """Seal `document` under a 32-byte `key`, bound to `binding` (see `vault.domain.binding`)."""
    nonce = os.urandom(NONCE_BYTES)
    return FORMAT_V1 + nonce + AESGCM(key).encrypt(nonce, document, binding)


def open_sealed(*, key: bytes, binding: bytes, sealed: bytes) -> bytes:
    """The document. Raises NotAuthentic on any mismatch of key, binding, format or bytes."""
    if sealed[:1] != FORMAT_V1 or len(sealed) < OVERHEAD:
        raise NotAuthentic
    try:
        return AESGCM(key).decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], binding)
    except InvalidTag as error:
        raise NotAuthentic from error


def new_key() -> bytes:
    """A fresh 256-bit data key from the system's generator."""
    return os.urandom(KEY_BYTES)
