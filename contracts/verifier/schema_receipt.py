"""The shape of a receipt file as JSON Schema.

`docs/formats/receipt.schema.json` is this very object; a test keeps the two alike.
"""

from __future__ import annotations

from contracts.verifier import shapes
from contracts.verifier.schema_parts import (
    ACTOR,
    BOOLEAN,
    CODE,
    COUNT,
    ENVELOPE,
    HEX32,
    HOLDER,
    INSTANT,
    KEYS,
    LOG_ENTRY,
    POSITIVE,
    ROLE,
    SOFTWARE,
    STATEMENT_TYPE,
)
from contracts.verifier.shapes import Schema, listed, members, or_null, public_id, text

FILE_TYPE = "urn:lethe:receipt-file:v1"
CONSENT_TYPE = "urn:lethe:consent-receipt:v1"
DECISION_TYPE = "urn:lethe:decision-record:v1"
LEASE_TYPE = "urn:lethe:lease-manifest:v1"
#: What each is about: the name of its one subject.
SUBJECTS = {CONSENT_TYPE: "consent", DECISION_TYPE: "request", LEASE_TYPE: "lease"}
EXCLUSIONS = ("refused", "withdrawn", "undecided", "restricted", "erased", "key_lost")

_CONSENT = members(
    {
        "consent_id": public_id("cns"),
        "controller_id": public_id("ctl"),
        "purpose_id": public_id("pur"),
        "purpose_version": POSITIVE,
        "decision": {"enum": ["given", "refused", "withdrawn"]},
        "is_explicit": BOOLEAN,
        "text_digest": or_null(HEX32),
        "language": or_null(text("[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,7}")),
        "channel": CODE,
        "decided_at": INSTANT,
        "recorded_at": INSTANT,
        "recorded_by": ACTOR,
    }
)
_ACT = {
    "enum": [
        "governance.request.drafted",
        "governance.request.approved",
        "governance.request.released",
        "governance.request.withdrawn",
        "governance.mass-act.drafted",
        "governance.mass-act.approved",
        "governance.mass-act.released",
    ]
}
_DECISION = members(
    {
        "request_id": public_id("req"),
        "erasure_id": public_id("ers"),
        "controller_id": public_id("ctl"),
        "mass_act": or_null(public_id("mas")),
        "kind": CODE,
        "ground": CODE,
        "received_at": INSTANT,
        "due_on": text("[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"),
        "state": CODE,
        "acts": listed(
            members({"action": _ACT, "actor": ACTOR, "role": ROLE, "at": INSTANT}), 1, 100
        ),
    }
)
_OPENING = members(
    {
        "lease_id": public_id("lea"),
        "controller_id": public_id("ctl"),
        "purpose_id": public_id("pur"),
        "purpose_version": POSITIVE,
        "client_id": public_id("cli"),
        "fields": listed(
            members(
                {
                    "category": public_id("cat"),
                    "names": listed(text("[\\s\\S]{1,200}"), 1, 1000),
                }
            ),
            1,
            1000,
        ),
        "subjects": COUNT,
        "exclusions": members(dict.fromkeys(EXCLUSIONS, COUNT)),
        "opened_at": INSTANT,
        "expires_at": INSTANT,
    }
)
_CLOSING = members(
    {
        "lease_id": public_id("lea"),
        "closed_at": INSTANT,
        "records_sent": COUNT,
        "bytes_sent": COUNT,
    }
)
_LEASE = members({"opening": _OPENING, "closing": or_null(_CLOSING)})
_STATUS = members({"list_id": HEX32, "index": COUNT})


def _statement(kind: str, facts: Schema, optional: Schema | None = None) -> Schema:
    predicate = members(
        {"facts": facts, "signed_by": HOLDER, "issued_at": INSTANT, "software": SOFTWARE}, optional
    )
    about = members({"name": {"const": SUBJECTS[kind]}, "digest": members({"sha256": HEX32})})
    return members(
        {
            "_type": {"const": STATEMENT_TYPE},
            "predicateType": {"const": kind},
            "subject": listed(about, 1, 1),
            "predicate": predicate,
        }
    )


SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": FILE_TYPE,
    "title": "Receipt file; `payload`, decoded, has the shape of $defs/statement",
    **members(
        {"format": {"const": FILE_TYPE}, "envelope": {"$ref": "#/$defs/envelope"}},
        {"keys": {"$ref": "#/$defs/keys"}, "log": {"$ref": "#/$defs/log"}},
    ),
    "$defs": {
        "envelope": ENVELOPE,
        "keys": KEYS,
        "log": members({"entries": listed(LOG_ENTRY, 1, 100)}),
        "statement": {
            "oneOf": [
                _statement(CONSENT_TYPE, _CONSENT, {"status": _STATUS}),
                _statement(DECISION_TYPE, _DECISION),
                _statement(LEASE_TYPE, _LEASE),
            ]
        },
    },
}


def faults(value: object, schema: Schema, place: str = "file") -> list[str]:
    """Where a receipt, or a part of one, leaves `schema`."""
    return shapes.faults(value, schema, SCHEMA["$defs"], place)
