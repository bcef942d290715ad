"""What every signed document has: the keys to check with, the statement, its signatures.

Formats: `docs/formats/dsse.md` and `keys.md`. Nothing here trusts its input.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Dict, List, Optional

from contracts.verifier import ed25519, schema_parts, shapes, strict_json
from contracts.verifier.log import decoded
from contracts.verifier.report import Report
from contracts.verifier.shapes import Schema

Keys = Dict[str, Any]


def find_keys(report: Report, file: Any, given: Optional[bytes]) -> Optional[Keys]:
    """The keys to check with by id, or None when there are none to read."""
    document = file.get("keys")
    report.keys_from = "file"
    if given is not None:
        report.keys_from = "given"
        try:
            document = strict_json.read(given)
        except strict_json.NotStrictError as error:
            report.unreadable = "the keys document cannot be read: " + str(error)
            return None
    if document is None:
        report.keys_from = None
        report.check("keys", ["the file brings no keys; name the published document with --keys"])
        return None
    problems = keys_problems(document)
    if not report.check("keys", problems):
        return None
    return {key["key_id"]: key for key in document["keys"]}


def keys_problems(document: Any) -> List[str]:
    """Why this is no keys document."""
    problems = shapes.faults(document, schema_parts.KEYS, {}, "keys")
    if problems:
        return problems
    ids = [key["key_id"] for key in document["keys"]]
    return [] if len(set(ids)) == len(ids) else ["keys: a key id stands twice"]


def find_statement(report: Report, envelope: Any, shape: Schema, defs: Schema) -> Any:
    """The statement in the envelope, or None when it is none of this shape in canonical form."""
    payload = decoded(envelope["payload"])
    if payload is None:
        report.check("payload", ["the payload is not base 64"])
        return None
    try:
        statement = strict_json.read(payload)
    except strict_json.NotStrictError as error:
        report.check("payload", ["the payload cannot be read: " + str(error)])
        return None
    problems = shapes.faults(statement, shape, defs, "statement")
    if not problems and strict_json.write(statement) != payload:
        problems = ["the payload is not in canonical form"]
    return statement if report.check("payload", problems) else None


def pae(payload: bytes) -> bytes:
    """What is signed: the pre-authentication encoding of DSSE v1."""
    kind = schema_parts.PAYLOAD_TYPE.encode("ascii")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def signature_problems(report: Report, envelope: Any, keys: Keys) -> List[str]:
    """Why not every signature verifies; the report learns who signed."""
    message = pae(decoded(envelope["payload"]) or b"")
    problems = []
    for number, item in enumerate(envelope["signatures"]):
        place = "signature %d: " % number
        key, value = keys.get(item["keyid"]), decoded(item["sig"])
        if key is None:
            problems.append(place + "its key is not in the keys document")
        elif value is None or not ed25519.verify(bytes.fromhex(key["public"]), message, value):
            problems.append(place + "does not verify")
        elif key["revoked_at"] is not None:
            problems.append(place + "its key was revoked; the signature alone has no date")
        else:
            report.signed_with.append((item["keyid"], key["holder"], key["public"]))
    return problems


def signer_problems(report: Report, predicate: Any, keys: Keys) -> List[str]:
    """Why who signed is not whom the statement names."""
    holders = {holder for _, holder, _ in report.signed_with}
    problems = []
    if holders != {predicate["signed_by"]}:
        problems.append("the key's holder is not the signer that the statement names")
    if any(key["key_id"].rpartition(":")[0] != key["holder"] for key in keys.values()):
        problems.append("a key id does not name its holder")
    return problems


def instant(text: str) -> Optional[datetime]:
    """The time in `text`, or None for a day that does not exist."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007  Z is in the format
    except ValueError:
        return None
