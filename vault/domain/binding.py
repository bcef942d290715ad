"""What a sealed record is bound to, as fixed-width bytes, and tags derived from its data key."""

import hmac
import struct
from collections.abc import Callable
from hashlib import sha256
from uuid import UUID

RECORD_TAG = b"lethe/record/v1\x00"
_SEALED_REFERENCE = b"lethe/sealed-reference/v1\x00"
_REFERENCE, _CONTENT = b"lethe/reference/v1", b"lethe/content/v1"
TAG_BYTES = 16
VERSION = struct.Struct(">Q")
_STREAM = b"lethe/stream/v1"
_BLOCK = 64
_INNER, _OUTER = hmac.trans_36, hmac.trans_5C


def record_binding(
    *, controller: UUID, subject: UUID, category: UUID, data_key: UUID, record: UUID, version: int
) -> bytes:
    """Associated data of a record: format tag, five 16-byte ids, version as 8 bytes big-endian."""
    ids = (controller.bytes, subject.bytes, category.bytes, data_key.bytes)
    return data_key_binding(*ids) + record.bytes + VERSION.pack(version)


def data_key_binding(controller: bytes, subject: bytes, category: bytes, data_key: bytes) -> bytes:
    """What the associated data of all records of one data key begin with.

    The record's 16 bytes and its packed VERSION follow.
    """
    return RECORD_TAG + controller + subject + category + data_key


def reference_binding(*, subject: UUID, data_key: UUID, record: UUID) -> bytes:
    """Associated data of a record's sealed reference."""
    return _SEALED_REFERENCE + subject.bytes + data_key.bytes + record.bytes


def reference_tag(*, key: bytes, source: UUID, reference: str) -> bytes:
    """16-byte MAC of a source's own record reference under the data key; noise once it is gone."""
    message = _REFERENCE + source.bytes + reference.encode()
    return hmac.digest(key, message, sha256)[:TAG_BYTES]


def content_mac(*, key: bytes, document: bytes) -> bytes:
    """16-byte MAC of a document under the data key, so that sending it again changes nothing."""
    return hmac.digest(key, _CONTENT + document, sha256)[:TAG_BYTES]


def stream_references(alias: bytes) -> Callable[[bytes], bytes]:
    """What names a record, given by its id, within the purpose of `alias`.

    HMAC-SHA-256 keyed by the alias, so purposes cannot be joined. It is keyed once per alias,
    since that is half of its cost.
    """
    key = alias.ljust(_BLOCK, b"\x00")
    inner, outer = sha256(key.translate(_INNER) + _STREAM), sha256(key.translate(_OUTER))

    def refer(record: bytes) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(record)
        second.update(first.digest())
        return second.digest()[:TAG_BYTES]

    return refer


def share_digest(kid: UUID) -> str:
    """How certificates and the journal's readers name a share: hex SHA-256 of its kid."""
    return sha256(kid.bytes).hexdigest()
