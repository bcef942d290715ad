"""Shapes that certificates and receipts have in common; see `docs/formats/`."""

from __future__ import annotations

from contracts.verifier.shapes import LARGEST, listed, members, or_null, table, text

KEYS_TYPE = "urn:lethe:keys:v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"

INSTANT = text(
    "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{6}Z"
)
INSTANT_OR_NULL = or_null(INSTANT)
HEX32 = text("[0-9a-f]{64}")
UUID = text("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
UUID_OR_NULL = or_null(UUID)
CODE = text("[a-z][a-z0-9]{0,31}(-[a-z0-9]{1,31}){0,7}")
GROUND = text("art[0-9]{1,2}(-[0-9]{1,2})?(-[a-z])?")
ROLE = text("[a-z][a-z0-9+-]{0,199}")
ACTION = text("[a-z]+([.][a-z][a-z0-9_-]*){1,9}")
ACTOR = text("((psn|cli)_[0-7][0-9a-hjkmnp-tv-z]{25}|process:[a-z][a-z-]{0,30})")
PROCESS = text("process:[a-z][a-z-]{0,30}")
KEY_ID = text("[a-z][a-z-]{0,30}:[1-9][0-9]{0,8}")
HOLDER = text("[a-z][a-z-]{0,30}")
BASE64 = text("[A-Za-z0-9+/]*={0,2}")
COUNT = {"type": "integer", "minimum": 0}
POSITIVE = {"type": "integer", "minimum": 1}
WHOLE = {"type": "integer", "minimum": -LARGEST}
BOOLEAN = {"type": "boolean"}
SOFTWARE = members({"name": {"const": "lethe"}, "version": text("[0-9A-Za-z][0-9A-Za-z.+-]{0,63}")})

KEYS = members(
    {
        "type": {"const": KEYS_TYPE},
        "keys": listed(
            members(
                {
                    "key_id": KEY_ID,
                    "holder": HOLDER,
                    "algorithm": {"const": "ed25519"},
                    "public": HEX32,
                    "first_seen_at": INSTANT,
                    "revoked_at": INSTANT_OR_NULL,
                }
            ),
            0,
            1000,
        ),
    }
)
ENVELOPE = members(
    {
        "payloadType": {"const": PAYLOAD_TYPE},
        "payload": BASE64,
        "signatures": listed(members({"keyid": KEY_ID, "sig": BASE64}), 1, 8),
    }
)
_HEADER, _NODE = ({**text("([0-9a-f]{2})+"), "maxLength": 2 * most} for most in (4_096, 65_536))
#: That the block has the event: its header, and the nodes from its root of receipts to the receipt.
_RECEIPT = members({"header": _HEADER, "key": COUNT, "nodes": listed(_NODE, 1, 64), "log": COUNT})
#: A head with the entry that a chain keeps, by what finds it there.
ANCHOR = members(
    {
        "chain_id": POSITIVE,
        "contract": text("0x[0-9a-f]{40}"),
        "sequence": POSITIVE,
        "tx": HEX32,
        "block_number": COUNT,
        "block_hash": HEX32,
        "block_time": COUNT,
        "log_index": COUNT,
        "finality": {"enum": ["tag", "depth", "instant"]},
        "proof": text("[\\s\\S]+"),
    },
    {"receipt": _RECEIPT},
)
#: A token over a head with the entry, and the time in it.
STAMP = members(
    {
        "token": {**BASE64, "maxLength": 65_536},
        "stamped_at": INSTANT,
        "proof": text("[\\s\\S]+"),
    }
)
_DETAIL = text("[ -~]{0,500}")
#: The members of an event that the log commits to, but for whose trail it is on.
_EVENT = {
    "action": ACTION,
    "actor": ACTOR,
    "at": INSTANT,
    "controller": UUID_OR_NULL,
    "details": table(
        "[a-z][a-z0-9_]{0,63}",
        {"oneOf": [_DETAIL, WHOLE, BOOLEAN, listed(_DETAIL, 0, 1000)]},
        50,
    ),
    "erasure": UUID_OR_NULL,
    "id": UUID,
    "request": UUID_OR_NULL,
    "role": ROLE,
}
_PROVEN = {"r": HEX32, "proof": text("[\\s\\S]+")}
#: An event of process evidence, opened, with the proof that the log has it.
EVENT_ENTRY = members({"event": members({**_EVENT, "trail": {"type": "null"}}), **_PROVEN})
#: Any event, opened, with its proof and what chains keep of that.
LOG_ENTRY = members(
    {"event": members({**_EVENT, "trail": UUID_OR_NULL}), **_PROVEN},
    {"anchors": listed(ANCHOR, 1, 16), "stamp": STAMP},
)
