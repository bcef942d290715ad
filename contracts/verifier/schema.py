"""The shape of a certificate file as JSON Schema, and a checker for the part of it used here.

`docs/formats/certificate.schema.json` is this very object; a test keeps the two alike.
"""

from __future__ import annotations

import re
from typing import Any, Dict

CERTIFICATE_TYPE = "urn:lethe:erasure-certificate:v1"
FILE_TYPE = "urn:lethe:certificate-file:v1"
KEYS_TYPE = "urn:lethe:keys:v1"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

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


Schema = Dict[str, Any]


def _text(pattern: str) -> Schema:
    return {"type": "string", "pattern": "^" + pattern + "$"}


def _members(required: Schema, optional: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": sorted(required),
        "additionalProperties": False,
    }


def _list(items: Schema, least: int, most: int) -> Schema:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def _id(prefix: str) -> Schema:
    return _text(prefix + "_[0-7][0-9a-hjkmnp-tv-z]{25}")


_INSTANT = _text(
    "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{6}Z"
)
_INSTANT_OR_NULL = {"oneOf": [_INSTANT, {"type": "null"}]}
_HEX32 = _text("[0-9a-f]{64}")
_UUID = _text("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CODE = _text("[a-z][a-z0-9]{0,31}(-[a-z0-9]{1,31}){0,7}")
_GROUND = _text("art[0-9]{1,2}(-[0-9]{1,2})?(-[a-z])?")
_NODE = _text("[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
_GROUP = _text("[a-z0-9][a-z0-9-]{0,39}")
_ACTOR = _text("((psn|cli)_[0-7][0-9a-hjkmnp-tv-z]{25}|process:[a-z][a-z-]{0,30})")
_PROCESS = _text("process:[a-z][a-z-]{0,30}")
_KEY_ID = _text("[a-z][a-z-]{0,30}:[1-9][0-9]{0,8}")
_HOLDER = _text("[a-z][a-z-]{0,30}")
_BASE64 = _text("[A-Za-z0-9+/]*={0,2}")
_COUNT = {"type": "integer", "minimum": 0}
_POSITIVE = {"type": "integer", "minimum": 1}

_SHARE = {
    "oneOf": [
        _members(
            {
                "share": _HEX32,
                "state": {"const": "destroyed"},
                "wording": {"const": SHARE_TEXTS["destroyed"]},
                "versions": _POSITIVE,
                "destroyed_at": _INSTANT_OR_NULL,
            }
        ),
        *(
            _members(
                {
                    "share": _HEX32,
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
_EXPIRY = _members(
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
        "expires_at": _INSTANT,
        "evidence": {"enum": ["read-from-store", "signed-by-operator"]},
        "statement": _HEX32,
    }
)
_IRRECOVERABLE = {
    "oneOf": [
        _members({"state": {"const": "pending"}, "reason": _CODE}),
        _members(
            {
                "state": {"const": "established"},
                "at": _INSTANT,
                "inventory": _list(_EXPIRY, 1, 1000),
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
_REASONS = _list({"enum": ["erasure", "leak", "rectification"]}, 1, 3)
_SCOPES = [
    _members({"kind": {"const": "subject"}}),
    _members({"kind": {"const": "groups"}, "groups": _list(_GROUP, 1, 100)}),
    _members(
        {
            "kind": {"const": "items"},
            "group": _GROUP,
            "reasons": _REASONS,
            "records": _POSITIVE,
            "versions": _POSITIVE,
        }
    ),
    _members({"kind": {"const": "rekey"}, "group": _GROUP, "reasons": _REASONS}),
]
_ROLES = [
    _members(
        {
            "drafter": _id("psn"),
            "approver": _id("psn"),
            "releaser": _id("psn"),
            "eraser": _PROCESS,
            "attester": _PROCESS,
        }
    ),
    _members({"requesters": _list(_ACTOR, 0, 100), "eraser": _PROCESS, "attester": _PROCESS}),
]
_PREDICATE = _members(
    {
        "certificate_id": _id("crt"),
        "kind": {"enum": ["interim", "final"]},
        "erasure_id": _id("ers"),
        "controller_id": _id("ctl"),
        "legal_ground": _GROUND,
        "scope": {"oneOf": _SCOPES},
        "effect": {"enum": _EFFECTS},
        "method": _members({"custodian": _CODE, "share_bits": {"const": 256}}),
        **dict.fromkeys(TIMES, _INSTANT),
        "nodes": _list(
            _members({"node": _NODE, "state": {"enum": ["read", "unreachable"]}}), 1, 99
        ),
        "shares": _list(_SHARE, 1, 1000),
        "leases_open_at_fence": _COUNT,
        "deleted": _members(
            {"records": _COUNT, "grants": _COUNT, "tags": _COUNT, "openings": _COUNT}
        ),
        "kept": _list(
            _members({"code": _CODE, "ground": _GROUND, "until": _INSTANT_OR_NULL}), 0, 100
        ),
        "suppression": _members(
            {
                "tags_kept": _COUNT,
                "until": {"const": "source-acknowledges"},
                "at_the_latest": _INSTANT_OR_NULL,
            }
        ),
        "roles": {"oneOf": _ROLES},
        "signed_by": _HOLDER,
        "irrecoverable_from": _IRRECOVERABLE,
        "journal": _members({"journal_id": _UUID, "sequence": _POSITIVE, "hash": _HEX32}),
        "software": _members(
            {"name": {"const": "lethe"}, "version": _text("[0-9A-Za-z][0-9A-Za-z.+-]{0,63}")}
        ),
    },
    {"interim": _members({"certificate_id": _id("crt"), "sha256": _HEX32})},
)
_STATEMENT = _members(
    {
        "_type": {"const": STATEMENT_TYPE},
        "predicateType": {"const": CERTIFICATE_TYPE},
        "subject": _list(
            _members(
                {
                    "name": _text("key-share/[1-9][0-9]{0,3}"),
                    "digest": _members({"sha256": _HEX32}),
                }
            ),
            1,
            1000,
        ),
        "predicate": _PREDICATE,
    }
)
_KEYS = _members(
    {
        "type": {"const": KEYS_TYPE},
        "keys": _list(
            _members(
                {
                    "key_id": _KEY_ID,
                    "holder": _HOLDER,
                    "algorithm": {"const": "ed25519"},
                    "public": _HEX32,
                    "first_seen_at": _INSTANT,
                    "revoked_at": _INSTANT_OR_NULL,
                }
            ),
            0,
            1000,
        ),
    }
)
_ENVELOPE = _members(
    {
        "payloadType": {"const": PAYLOAD_TYPE},
        "payload": _BASE64,
        "signatures": _list(_members({"keyid": _KEY_ID, "sig": _BASE64}), 1, 8),
    }
)
_UUID_OR_NULL = {"oneOf": [_UUID, {"type": "null"}]}
#: A head with the entry that a chain keeps, by what finds it there.
_ANCHOR = _members(
    {
        "chain_id": _POSITIVE,
        "contract": _text("0x[0-9a-f]{40}"),
        "sequence": _POSITIVE,
        "tx": _HEX32,
        "block_number": _COUNT,
        "block_hash": _HEX32,
        "block_time": _COUNT,
        "log_index": _COUNT,
        "finality": {"enum": ["tag", "depth", "instant"]},
        "proof": _text("[\\s\\S]+"),
    }
)
#: The event of the log that says which certificate was issued, and the proof that the log has it.
_LOG = _members(
    {
        "event": _members(
            {
                "action": {"const": "governance.certificate.issued"},
                "actor": _PROCESS,
                "at": _INSTANT,
                "controller": _UUID,
                "details": _members(
                    {
                        "certificate": _id("crt"),
                        "kind": {"enum": ["interim", "final"]},
                        "sha256": _HEX32,
                    }
                ),
                "erasure": _UUID,
                "id": _UUID,
                "request": _UUID_OR_NULL,
                "role": _CODE,
                "trail": {"type": "null"},
            }
        ),
        "r": _HEX32,
        "proof": _text("[\\s\\S]+"),
    },
    {"anchors": _list(_ANCHOR, 1, 16)},
)
SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": FILE_TYPE,
    "title": "Erasure certificate file; `payload`, decoded, has the shape of $defs/statement",
    **_members(
        {"format": {"const": FILE_TYPE}, "envelope": {"$ref": "#/$defs/envelope"}},
        {"keys": {"$ref": "#/$defs/keys"}, "log": {"$ref": "#/$defs/log"}},
    ),
    "$defs": {"envelope": _ENVELOPE, "keys": _KEYS, "log": _LOG, "statement": _STATEMENT},
}

_TYPES: dict[str, type] = {"string": str, "array": list, "object": dict, "null": type(None)}


def faults(value: Any, schema: Schema, place: str = "file") -> list[str]:
    """Where `value` leaves `schema`: short texts that name places, never contents."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if "oneOf" in schema:
        fitting = sum(1 for one in schema["oneOf"] if not faults(value, one, place))
        return [] if fitting == 1 else [place + ": has none of the shapes allowed here"]
    if "const" in schema:
        same = type(value) is type(schema["const"]) and value == schema["const"]
        return [] if same else [place + ": is not the value fixed for it"]
    if "enum" in schema:
        known = isinstance(value, str) and value in schema["enum"]
        return [] if known else [place + ": is none of the values allowed"]
    if schema["type"] == "integer":
        whole = isinstance(value, int) and not isinstance(value, bool)
        return [] if whole and value >= schema["minimum"] else [place + ": is not such a number"]
    if not isinstance(value, _TYPES[schema["type"]]):
        return [place + ": is not of type " + schema["type"]]
    return _INSIDE[schema["type"]](value, schema, place)


def _in_object(value: Any, schema: Schema, place: str) -> list[str]:
    found = [
        place + "." + name + ": is missing" for name in schema["required"] if name not in value
    ]
    if any(name not in schema["properties"] for name in value):
        found.append(place + ": has a member that this version does not know")
    for name, part in schema["properties"].items():
        if name in value:
            found += faults(value[name], part, place + "." + name)
    return found


def _in_array(value: Any, schema: Schema, place: str) -> list[str]:
    if not schema["minItems"] <= len(value) <= schema["maxItems"]:
        return [place + ": has too few or too many items"]
    found = []
    for number, item in enumerate(value):
        found += faults(item, schema["items"], "%s[%d]" % (place, number))
    return found


def _in_string(value: Any, schema: Schema, place: str) -> list[str]:
    fits = re.fullmatch(schema["pattern"], value) is not None
    return [] if fits else [place + ": is not written as it must be"]


def _in_null(_value: Any, _schema: Schema, _place: str) -> list[str]:
    return []


_INSIDE = {
    "object": _in_object,
    "array": _in_array,
    "string": _in_string,
    "null": _in_null,
}
