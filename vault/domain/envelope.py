"""The sealed form of one document: `0x01 ‖ nonce(12) ‖ AES-256-GCM ciphertext and tag`.

A data key seals at most a few thousand records of one person, so random 96-bit nonces stay far
below the 2^32 messages that NIST SP 800-38D §8.3 allows per key.
"""

import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT_V1 = b"\x01"
NONCE_BYTES = 12
KEY_BYTES = 32
OVERHEAD = len(FORMAT_V1) + NONCE_BYTES + 16
_BODY = len(FORMAT_V1) + NONCE_BYTES


class NotAuthentic(Exception):
    """The bytes do not open under this key and binding. Never says which of them is wrong."""


def seal(*, key: bytes, binding: bytes, document: bytes) -> bytes:
    """Seal `document` under a 32-byte `key`, bound to `binding` (see `vault.domain.binding`)."""
    nonce = os.urandom(NONCE_BYTES)
    return FORMAT_V1 + nonce + AESGCM(key).encrypt(nonce, document, binding)


def open_sealed(*, key: bytes, binding: bytes, sealed: bytes) -> bytes:
    """The document. Raises NotAuthentic on any mismatch of key, binding, format or bytes."""
    return opener(key)(sealed, binding)


def opener(key: bytes) -> Callable[[bytes, bytes], bytes]:
    """What opens sealed documents of one key, given each with its binding, as `open_sealed`.

    To set a key up costs as much as to open a document of 1 KB with it.
    """
    decrypt = AESGCM(key).decrypt

    def open_one(sealed: bytes, binding: bytes) -> bytes:
        if sealed[:1] != FORMAT_V1 or len(sealed) < OVERHEAD:
            raise NotAuthentic
        try:
            return decrypt(sealed[1:_BODY], sealed[_BODY:], binding)
        except InvalidTag as error:
            raise NotAuthentic from error

    return open_one


def new_key() -> bytes:
    """A fresh 256-bit data key from the system's generator."""
    return os.urandom(KEY_BYTES)
