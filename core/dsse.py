"""Signed statements: in-toto Statement v1 in a DSSE v1 envelope (`docs/formats/dsse.md`).

The payload is the statement's canonical encoding, so equal statements have equal bytes. A
signature names one key; the key's holder is a process, never a person.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from core import canonical
from core.errors import IntegrityViolation
from core.ports import Signer, VerifyingKey

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
KEYS_TYPE: Final = "urn:lethe:keys:v1"


class EnvelopeInvalid(IntegrityViolation):
    """The envelope is malformed or not signed by a key in hand."""

    code = "envelope-invalid"
    text = "The signed document does not verify."


def statement(
    *, predicate_type: str, subjects: Sequence[tuple[str, str]], predicate: Mapping[str, Any]
) -> dict[str, Any]:
    """Compose a statement; `subjects` are (name, lower-case hex SHA-256)."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects],
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }


def pae(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding of DSSE v1: what is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def envelope(statement: Mapping[str, Any], *, signer: Signer) -> dict[str, Any]:
    """Sign `statement` and wrap it. Raises Unavailable from the signer, ValueError."""
    payload = canonical.encode(dict(statement))
    signature = signer.sign(pae(PAYLOAD_TYPE, payload))
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [
            {"keyid": signature.key_id, "sig": base64.b64encode(signature.value).decode()}
        ],
    }


def verify(envelope: Mapping[str, Any], *, keys: Sequence[VerifyingKey]) -> dict[str, Any]:
    """The statement, once every signature verifies under the key it names.

    Raises EnvelopeInvalid, also for a payload that is not in canonical form.
    """
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
        message = pae(envelope["payloadType"], payload)
        signatures = [
            (item["keyid"], base64.b64decode(item["sig"], validate=True))
            for item in envelope["signatures"]
        ]
        _check_signatures(signatures, message, {key.key_id: key.public for key in keys})
        content = json.loads(payload)
        if canonical.encode(content) != payload or envelope["payloadType"] != PAYLOAD_TYPE:
            raise EnvelopeInvalid
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error, RecursionError):
        raise EnvelopeInvalid from None
    if not isinstance(content, dict) or content.get("_type") != STATEMENT_TYPE:
        raise EnvelopeInvalid
    return content


def _check_signatures(
    signatures: Sequence[tuple[str, bytes]], message: bytes, public: Mapping[str, bytes]
) -> None:
    if not signatures:
        raise EnvelopeInvalid
    for key_id, value in signatures:
        try:
            Ed25519PublicKey.from_public_bytes(public[key_id]).verify(value, message)
        except InvalidSignature:
            raise EnvelopeInvalid from None


def keys_document(
    keys: Sequence[tuple[VerifyingKey, datetime, datetime | None]],
) -> dict[str, Any]:
    """The document at /.well-known/lethe-keys from (key, first seen, revoked or None)."""
    return {
        "type": KEYS_TYPE,
        "keys": [
            {
                "key_id": key.key_id,
                "holder": key.holder,
                "algorithm": "ed25519",
                "public": key.public.hex(),
                "first_seen_at": canonical.instant(first_seen_at),
                "revoked_at": None if revoked_at is None else canonical.instant(revoked_at),
            }
            for key, first_seen_at, revoked_at in keys
        ],
    }
