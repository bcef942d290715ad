"""The shape of a certificate file as JSON Schema.

`docs/formats/certificate.schema.json` is this very object; a test keeps the two alike.
"""

from __future__ import annotations

from contracts.verifier import shapes
from contracts.verifier.schema_parts import (
    ACTOR,
    ANCHOR,
    CODE,
    COUNT,
    ENVELOPE,
    GROUND,
    HEX32,
    HOLDER,
    INSTANT,
    INSTANT_OR_NULL,
    KEYS,
    POSITIVE,
    PROCESS,
    SOFTWARE,
    STAMP,
    STATEMENT_TYPE,
    UUID,
    UUID_OR_NULL,
)
from contracts.verifier.shapes import Schema, listed, members, public_id, text

CERTIFICATE_TYPE = "urn:lethe:erasure-certificate:v1"
FILE_TYPE = "urn:lethe:certificate-file:v1"

EFFECT_TEXTS = {
    "destroyed": "Made unreadable by key destruction; stored ciphertext deleted.",
    "absent": "Stored ciphertext deleted; a key is absent that was not read as destroyed.",
    "lost": "Stored ciphertext deleted; a key had been lost before and was not read as destroyed.",
}
#: What a certificate of less than a whole person says, by the kind of its scope.
PART_EFFECT_TEXTS = {
    "groups": {
        "destroyed": "One key group made unreadable by key destruction; its stored ciphertext "
        "deleted. Other data of the person is kept.",
        "absent": "Stored ciphertext of one key group deleted; a key is absent that was not read "
        "as destroyed. Other data of the person is kept.",
        "lost": "Stored ciphertext of one key group deleted; a key had been lost before and was "
        "not read as destroyed. Other data of the person is kept.",
    },
    "items": {
        "destroyed": "Items made unreadable by key destruction; their stored ciphertext deleted. "
        "What is kept of the key group was sealed under another key before.",
        "absent": "Stored ciphertext of items deleted; a key is absent that was not read as "
        "destroyed. What is kept of the key group was sealed under another key before.",
        "lost": "Stored ciphertext of items deleted; a key had been lost before and was not read "
        "as destroyed. What is kept of the key group was sealed under another key before.",
    },
    "rekey": {
        "destroyed": "A key destroyed after all it protected was sealed under another key; no "
        "item was removed.",
        "absent": "A key is absent that was not read as destroyed, after all it protected was "
        "sealed under another key; no item was removed.",
        "lost": "A key had been lost and was not read as destroyed, after all it protected was "
        "sealed under another key; no item was removed.",
    },
}
SHARE_TEXTS = {
    "destroyed": "Every version of this key share reads as destroyed in the key store.",
    "absent": "The key store does not know this key share; no destruction could be read back.",
    "lost": "The key store was found to lack this key share before its destruction was ordered; "
    "none could be read back. A copy of the key store may hold it until that copy's end date.",
}
#: From the one that says most to the one that says least.
SHARE_STATES = ("destroyed", "absent", "lost")
_NODE = text("[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
_GROUP = text("[a-z0-9][a-z0-9-]{0,39}")

_SHARE = {
    "oneOf": [
        members(
            {
                "share": HEX32,
                "state": {"const": "destroyed"},
                "wording": {"const": SHARE_TEXTS["destroyed"]},
                "versions": POSITIVE,
                "destroyed_at": INSTANT_OR_NULL,
            }
        ),
        *(
            members(
                {
                    "share": HEX32,
                    "state": {"const": state},
                    "wording": {"const": SHARE_TEXTS[state]},
                    "versions": {"const": 0},
                    "destroyed_at": {"type": "null"},
                }
            )
            for state in SHARE_STATES[1:]
        ),
    ]
}
_EXPIRY = members(
    {
        "kind": {
            "enum": [
                "database-backup",
                "key-store-residue",
                "key-store-snapshot",
                "retired-disk",
                "wal-archive",
            ]
        },
        "expires_at": INSTANT,
        "evidence": {"enum": ["read-from-store", "signed-by-operator"]},
        "statement": HEX32,
    }
)
_IRRECOVERABLE = {
    "oneOf": [
        members({"state": {"const": "pending"}, "reason": CODE}),
        members(
            {
                "state": {"const": "established"},
                "at": INSTANT,
                "inventory": listed(_EXPIRY, 1, 1000),
            }
        ),
    ]
}
#: Instants of a certificate, none before the one listed before it.
TIMES = (
    "requested_at",
    "decided_at",
    "fenced_at",
    "drained_at",
    "ordered_at",
    "destroyed_at",
    "swept_at",
    "verified_at",
    "issued_at",
)
_EFFECTS = [*EFFECT_TEXTS.values(), *(t for s in PART_EFFECT_TEXTS.values() for t in s.values())]
_REASONS = listed({"enum": ["erasure", "leak", "rectification"]}, 1, 3)
_SCOPES = [
    members({"kind": {"const": "subject"}}),
    members({"kind": {"const": "groups"}, "groups": listed(_GROUP, 1, 100)}),
    members(
        {
            "kind": {"const": "items"},
            "group": _GROUP,
            "reasons": _REASONS,
            "records": POSITIVE,
            "versions": POSITIVE,
        }
    ),
    members({"kind": {"const": "rekey"}, "group": _GROUP, "reasons": _REASONS}),
]
_ROLES = [
    members(
        {
            "drafter": public_id("psn"),
            "approver": public_id("psn"),
            "releaser": public_id("psn"),
            "eraser": PROCESS,
            "attester": PROCESS,
        }
    ),
    members({"requesters": listed(ACTOR, 0, 100), "eraser": PROCESS, "attester": PROCESS}),
]
_PREDICATE = members(
    {
        "certificate_id": public_id("crt"),
        "kind": {"enum": ["interim", "final"]},
        "erasure_id": public_id("ers"),
        "controller_id": public_id("ctl"),
        "legal_ground": GROUND,
        "scope": {"oneOf": _SCOPES},
        "effect": {"enum": _EFFECTS},
        "method": members({"custodian": CODE, "share_bits": {"const": 256}}),
        **dict.fromkeys(TIMES, INSTANT),
        "nodes": listed(
            members({"node": _NODE, "state": {"enum": ["read", "unreachable"]}}), 1, 99
        ),
        "shares": listed(_SHARE, 1, 1000),
        "leases_open_at_fence": COUNT,
        "deleted": members({"records": COUNT, "grants": COUNT, "tags": COUNT, "openings": COUNT}),
        "kept": listed(members({"code": CODE, "ground": GROUND, "until": INSTANT_OR_NULL}), 0, 100),
        "suppression": members(
            {
                "tags_kept": COUNT,
                "until": {"const": "source-acknowledges"},
                "at_the_latest": INSTANT_OR_NULL,
            }
        ),
        "roles": {"oneOf": _ROLES},
        "signed_by": HOLDER,
        "irrecoverable_from": _IRRECOVERABLE,
        "journal": members({"journal_id": UUID, "sequence": POSITIVE, "hash": HEX32}),
        "software": SOFTWARE,
    },
    {"interim": members({"certificate_id": public_id("crt"), "sha256": HEX32})},
)
_STATEMENT = members(
    {
        "_type": {"const": STATEMENT_TYPE},
        "predicateType": {"const": CERTIFICATE_TYPE},
        "subject": listed(
            members(
                {
                    "name": text("key-share/[1-9][0-9]{0,3}"),
                    "digest": members({"sha256": HEX32}),
                }
            ),
            1,
            1000,
        ),
        "predicate": _PREDICATE,
    }
)
#: The event of the log that says which certificate was issued, and the proof that the log has it.
_LOG = members(
    {
        "event": members(
            {
                "action": {"const": "governance.certificate.issued"},
                "actor": PROCESS,
                "at": INSTANT,
                "controller": UUID,
                "details": members(
                    {
                        "certificate": public_id("crt"),
                        "kind": {"enum": ["interim", "final"]},
                        "sha256": HEX32,
                    }
                ),
                "erasure": UUID,
                "id": UUID,
                "request": UUID_OR_NULL,
                "role": CODE,
                "trail": {"type": "null"},
            }
        ),
        "r": HEX32,
        "proof": text("[\\s\\S]+"),
    },
    {"anchors": listed(ANCHOR, 1, 16), "stamp": STAMP},
)
SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": FILE_TYPE,
    "title": "Erasure certificate file; `payload`, decoded, has the shape of $defs/statement",
    **members(
        {"format": {"const": FILE_TYPE}, "envelope": {"$ref": "#/$defs/envelope"}},
        {"keys": {"$ref": "#/$defs/keys"}, "log": {"$ref": "#/$defs/log"}},
    ),
    "$defs": {"envelope": ENVELOPE, "keys": KEYS, "log": _LOG, "statement": _STATEMENT},
}


def faults(value: object, schema: Schema, place: str = "file") -> list[str]:
    """Where a certificate, or a part of one, leaves `schema`."""
    return shapes.faults(value, schema, SCHEMA["$defs"], place)
