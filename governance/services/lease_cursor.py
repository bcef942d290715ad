"""Resume tokens of lease streams: encrypted, since a position names rows of the vault."""

import base64
import binascii
import os
from functools import cache
from typing import TypeAlias
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from core.errors import InvalidInput
from vault.services.pages import Position

_NONCE, _ID, _TAG = 12, 16, 16
_LENGTH = _NONCE + 3 * _ID + _TAG

Split: TypeAlias = tuple[int, int]


class InvalidCursor(InvalidInput):
    """Not a cursor that this lease gave out for this split."""

    code = "invalid-cursor"
    text = "This is not a cursor of this lease and split."


def seal(position: Position, *, lease_id: UUID, split: Split) -> str:
    """`position` as an opaque token that only the same lease and split can use."""
    nonce = os.urandom(_NONCE)
    plain = position.alias.bytes + position.category.bytes + position.record.bytes
    sealed = AESGCM(_key(settings.SECRET_KEY)).encrypt(nonce, plain, _binding(lease_id, split))
    return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()


def unseal(token: str, *, lease_id: UUID, split: Split) -> Position:
    """The position in a token. Raises InvalidCursor."""
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (UnicodeEncodeError, binascii.Error, ValueError) as error:
        raise InvalidCursor(field="after") from error
    if len(raw) != _LENGTH:
        raise InvalidCursor(field="after")
    try:
        plain = AESGCM(_key(settings.SECRET_KEY)).decrypt(
            raw[:_NONCE], raw[_NONCE:], _binding(lease_id, split)
        )
    except InvalidTag as error:
        raise InvalidCursor(field="after") from error
    return Position(*(UUID(bytes=plain[start : start + _ID]) for start in range(0, 3 * _ID, _ID)))


def _binding(lease_id: UUID, split: Split) -> bytes:
    return lease_id.bytes + split[0].to_bytes(4, "big") + split[1].to_bytes(4, "big")


@cache
def _key(secret_key: str) -> bytes:
    derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"cursor")
    return derive.derive(secret_key.encode())
