"""The sealed form of one document: `0x01 ‖ nonce(12) ‖ AES-256-GCM ciphertext and tag`.

A data key seals at most a few thousand records of one person, so random 96-bit nonces stay far
below the 2^32 messages that NIST SP 800-38D §8.3 allows per key.
"""

import os
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT_V1 = b"\x01"
NONCE_BYTES = 12
KEY_BYTES = 32
OVERHEAD = len(FORMAT_V1) + NONCE_BYTES + 16
_BODY = len(FORMAT_V1) + NONCE_BYTES
(_V1,) = FORMAT_V1


class NotAuthentic(Exception):
    """The bytes do not open under this key and binding. Never says which of them is wrong."""


def seal(*, key: bytes, binding: bytes, document: bytes) -> bytes:
    """Seal `document` under a 32-byte `key`, bound to `binding` (see `vault.domain.binding`)."""
    nonce = os.urandom(NONCE_BYTES)
    return FORMAT_V1 + nonce + AESGCM(key).encrypt(nonce, document, binding)


def open_sealed(*, key: bytes, binding: bytes, sealed: bytes) -> bytes:
    """The document. Raises NotAuthentic on any mismatch of key, binding, format or bytes."""
    (document,) = open_packed(key=key, sealed=sealed, parts=[(len(sealed), binding)])
    return document


def open_packed(*, key: bytes, sealed: bytes, parts: Iterable[tuple[int, bytes]]) -> list[bytes]:
    """The documents of sealed forms that lie one after another in `sealed`.

    `parts` gives each one's length and binding. To set a key up costs as much as to open a
    document of 1 KB with it. Raises NotAuthentic as `open_sealed`.
    """
    decrypt = AESGCM(key).decrypt
    documents: list[bytes] = []
    start = 0
    try:
        for length, binding in parts:
            body, end = start + _BODY, start + length
            if length < OVERHEAD or end > len(sealed) or sealed[start] != _V1:
                raise NotAuthentic
            documents.append(decrypt(sealed[start + 1 : body], sealed[body:end], binding))
            start = end
    except InvalidTag as error:
        raise NotAuthentic from error
    return documents


def new_key() -> bytes:
    """A fresh 256-bit data key from the system's generator."""
    return os.urandom(KEY_BYTES)
