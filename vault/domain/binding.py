"""What a sealed record is bound to, as fixed-width bytes, and tags derived from its data key."""

import hmac
import struct
from hashlib import sha256
from uuid import UUID

RECORD_TAG = b"lethe/record/v1\x00"
_REFERENCE, _CONTENT = b"lethe/reference/v1", b"lethe/content/v1"
TAG_BYTES = 16


def record_binding(
    *, controller: UUID, subject: UUID, category: UUID, data_key: UUID, record: UUID, version: int
) -> bytes:
    """Associated data of a record: format tag, five 16-byte ids, version as 8 bytes big-endian."""
    return b"".join(
        (
            RECORD_TAG,
            controller.bytes,
            subject.bytes,
            category.bytes,
            data_key.bytes,
            record.bytes,
            struct.pack(">Q", version),
        )
    )


def reference_tag(*, key: bytes, source: UUID, reference: str) -> bytes:
    """16-byte MAC of a source's own record reference under the data key; noise once it is gone."""
    message = _REFERENCE + source.bytes + reference.encode()
    return hmac.digest(key, message, sha256)[:TAG_BYTES]


def content_mac(*, key: bytes, document: bytes) -> bytes:
    """16-byte MAC of a document under the data key, so that sending it again changes nothing."""
    return hmac.digest(key, _CONTENT + document, sha256)[:TAG_BYTES]


def stream_reference(*, alias: UUID, record: UUID) -> bytes:
    """A record's name within one purpose: keyed by the alias, so purposes cannot be joined."""
    return hmac.digest(alias.bytes, b"lethe/stream/v1" + record.bytes, sha256)[:TAG_BYTES]


def share_digest(kid: UUID) -> str:
    """How certificates and the journal's readers name a share: hex SHA-256 of its kid."""
    return sha256(kid.bytes).hexdigest()
