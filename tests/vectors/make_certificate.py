"""Writes certificate-v1.json and its schema anew; synthetic data, fixed test keys.

Run by hand after a deliberate change of the format: `python -m tests.vectors.make_certificate`.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.domain import checkpoint, tree
from contracts.verifier.schema import (
    CERTIFICATE_TYPE,
    EFFECT_TEXTS,
    FILE_TYPE,
    PART_EFFECT_TEXTS,
    SCHEMA,
    SHARE_TEXTS,
)
from core import canonical, commitment, dsse
from core.ports import Signature
from tests.vectors import make_block

#: 32 times 0x01: a synthetic key that signs nothing but these vectors.
TEST_SEED = bytes([1]) * 32
KEY_ID = "attester:1"
VECTORS = Path(__file__).parent
#: What `stamp-v1.der` says: a test authority's token over the logged certificate's head.
STAMPED_AT = "2026-11-23T21:58:08.000000Z"
SCHEMA_FILE = VECTORS.parents[1] / "docs" / "formats" / "certificate.schema.json"


class TestKeySigner:
    """Signs with the fixed test key."""

    __test__ = False

    def __init__(self, seed: bytes = TEST_SEED, key_id: str = KEY_ID) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.key_id = key_id
        self.holder = key_id.partition(":")[0]

    @property
    def public(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> Signature:
        return Signature(self.key_id, self.holder, self._key.sign(message))

    def verifying_keys(self) -> list[Any]:
        return []


#: The log's test key.
LOGGERD = TestKeySigner(bytes([2]) * 32, "loggerd:1")


def _id(prefix: str, letter: str) -> str:
    return f"{prefix}_0{letter * 25}"


def share(number: int, state: str = "destroyed") -> dict[str, Any]:
    destroyed = state == "destroyed"
    return {
        "share": f"{number:02x}" * 32,
        "state": state,
        "wording": SHARE_TEXTS[state],
        "versions": 1 if destroyed else 0,
        "destroyed_at": "2026-03-09T10:00:02.000000Z" if destroyed else None,
    }


def timeline() -> dict[str, str]:
    at = "2026-03-09T10:00:0{}.000000Z".format
    return {
        "requested_at": "2026-03-05T09:00:00.000000Z",
        "decided_at": "2026-03-06T09:00:00.000000Z",
        "fenced_at": at(0),
        "drained_at": at(1),
        "ordered_at": at(1),
        "destroyed_at": at(3),
        "swept_at": at(4),
        "verified_at": at(5),
        "issued_at": at(6),
    }


def predicate() -> dict[str, Any]:
    return {
        "certificate_id": _id("crt", "a"),
        "kind": "interim",
        "erasure_id": _id("ers", "b"),
        "controller_id": _id("ctl", "c"),
        "legal_ground": "art17-1-b",
        "scope": {"kind": "subject"},
        "effect": EFFECT_TEXTS["destroyed"],
        "method": {"custodian": "hashicorp", "share_bits": 256},
        **timeline(),
        "nodes": [{"node": "node-1", "state": "read"}],
        "shares": [share(1), share(2)],
        "leases_open_at_fence": 1,
        "deleted": {"records": 7, "grants": 3, "tags": 2, "openings": 4},
        "kept": [{"code": "consent-proof", "ground": "art17-3-e", "until": None}],
        "suppression": {
            "tags_kept": 1,
            "until": "source-acknowledges",
            "at_the_latest": "2026-04-08T10:00:04.000000Z",
        },
        "roles": {
            "drafter": _id("psn", "d"),
            "approver": _id("psn", "e"),
            "releaser": _id("psn", "f"),
            "eraser": "process:eraser",
            "attester": "process:attester",
        },
        "signed_by": "attester",
        "irrecoverable_from": {"state": "pending", "reason": "backup-inventory-missing"},
        "journal": {
            "journal_id": "6f9619ff-8b86-4011-b42d-00c04fc964ff",
            "sequence": 12,
            "hash": "ab" * 32,
        },
        "software": {"name": "lethe", "version": "0.1.0"},
    }


def part(kind: str = "items") -> dict[str, Any]:
    """A certificate of one key group that expired, of items, or of a key that was replaced."""
    scopes: dict[str, dict[str, Any]] = {
        "groups": {"groups": ["access-logs"]},
        "items": {"group": "main", "reasons": ["erasure", "leak"], "records": 1, "versions": 3},
        "rekey": {"group": "main", "reasons": ["leak"]},
    }
    grounds = {"groups": "art5-1-e", "items": "art17-1", "rekey": "art32-1"}
    removed = {"groups": 7, "items": 3, "rekey": 0}
    return {
        **predicate(),
        "legal_ground": grounds[kind],
        "scope": {"kind": kind, **scopes[kind]},
        "effect": PART_EFFECT_TEXTS[kind]["destroyed"],
        "shares": [share(1)],
        "deleted": {"records": removed[kind], "grants": 0, "tags": 0, "openings": 0},
        "kept": [],
        "suppression": {
            "tags_kept": 0,
            "until": "source-acknowledges",
            "at_the_latest": None,
        },
        "roles": {
            "requesters": [_id("psn", "d")],
            "eraser": "process:eraser",
            "attester": "process:attester",
        },
    }


def final() -> dict[str, Any]:
    """The final certificate that follows `predicate`; two lines rest on an operator's word."""
    ends = {
        "database-backup": ("2026-04-13T02:10:00.000000Z", "read-from-store"),
        "key-store-residue": ("2026-03-09T10:00:03.000000Z", "signed-by-operator"),
        "key-store-snapshot": ("2026-03-16T10:40:00.000000Z", "read-from-store"),
        "retired-disk": ("2026-03-09T10:00:03.000000Z", "signed-by-operator"),
        "wal-archive": ("2026-04-13T02:11:00.000000Z", "read-from-store"),
    }
    payload = canonical.encode(statement(predicate()))
    return {
        **predicate(),
        "certificate_id": _id("crt", "g"),
        "kind": "final",
        "issued_at": "2026-04-13T03:00:00.000000Z",
        "interim": {
            "certificate_id": predicate()["certificate_id"],
            "sha256": hashlib.sha256(payload).hexdigest(),
        },
        "irrecoverable_from": {
            "state": "established",
            "at": "2026-04-13T02:11:00.000000Z",
            "inventory": [
                {"kind": kind, "expires_at": at, "evidence": how, "statement": f"{n:02x}" * 32}
                for n, (kind, (at, how)) in enumerate(ends.items(), start=1)
            ],
        },
    }


def statement(content: dict[str, Any]) -> dict[str, Any]:
    shares = content["shares"]
    subjects = [(f"key-share/{at}", item["share"]) for at, item in enumerate(shares, start=1)]
    return dsse.statement(predicate_type=CERTIFICATE_TYPE, subjects=subjects, predicate=content)


def keys_document(*signers: TestKeySigner) -> dict[str, Any]:
    keys = [
        {
            "key_id": signer.key_id,
            "holder": signer.holder,
            "algorithm": "ed25519",
            "public": signer.public.hex(),
            "first_seen_at": "2026-01-01T00:00:00.000000Z",
            "revoked_at": None,
        }
        for signer in signers
    ]
    return {"type": dsse.KEYS_TYPE, "keys": keys}


def certificate(content: dict[str, Any], signer: TestKeySigner | None = None) -> dict[str, Any]:
    signer = signer or TestKeySigner()
    envelope = dsse.envelope(statement(content), signer=signer)
    return {"format": FILE_TYPE, "envelope": envelope, "keys": keys_document(signer)}


def event(made: dict[str, Any]) -> dict[str, Any]:
    """The event by which a certificate was issued, as the log commits to it."""
    payload = base64.b64decode(made["envelope"]["payload"])
    content = json.loads(payload)["predicate"]
    return {
        "action": "governance.certificate.issued",
        "actor": "process:attester",
        "at": content["issued_at"],
        "controller": "6f9619ff-8b86-4011-b42d-00c04fc964fe",
        "details": {
            "certificate": content["certificate_id"],
            "kind": content["kind"],
            "sha256": hashlib.sha256(payload).hexdigest(),
        },
        "erasure": "6f9619ff-8b86-4011-b42d-00c04fc964fd",
        "id": "6f9619ff-8b86-4011-b42d-00c04fc964fc",
        "request": None,
        "role": "process",
        "trail": None,
    }


def logged(
    made: dict[str, Any], *, of: dict[str, Any] | None = None, index: int = 33, size: int = 67
) -> dict[str, Any]:
    """The certificate in a log of `size` entries; the event is `of` where one is given."""
    named, r = of or event(made), bytes([7]) * 32
    entries = [number.to_bytes(32, "big") for number in range(size)]
    entries[index] = commitment.leaf_of(named, tag=commitment.AUDIT_EVENT, r=r)
    hashes = tree.hashes_of(entries)
    edge, _ = tree.Edge().grown(hashes)
    head = checkpoint.Head("log.example/synthetic", size, edge.root())
    line = checkpoint.signature_line(
        head.origin, LOGGERD.public, LOGGERD.sign(head.text().encode()).value
    )
    note = checkpoint.note(head.text(), [line])
    proof = checkpoint.proof_text(index=index, path=path_of(hashes, index), checkpoint=note)
    keys = keys_document(TestKeySigner(), LOGGERD)
    return {**made, "keys": keys, "log": {"event": named, "r": r.hex(), "proof": proof}}


def anchored(made: dict[str, Any]) -> dict[str, Any]:
    """The logged certificate with two heads that synthetic chains are said to keep.

    The first has the proof that a block of its hash has it.
    """
    parts = [
        {
            "chain_id": chain_id, "contract": "0x" + "5a" * 20, "sequence": 3, "tx": "7b" * 32,
            "block_number": 1234, "block_hash": "9c" * 32, "block_time": 1_772_625_600,
            "log_index": 0, "finality": finality,
            "proof": logged(made, index=33, size=size)["log"]["proof"],
        }
        for chain_id, finality, size in ((1, "tag", 40), (4242, "instant", 64))
    ]  # fmt: skip
    parts[0] = make_block.with_receipt(parts[0])
    whole = logged(made)
    return {**whole, "log": {**whole["log"], "anchors": parts}}


def stamped(made: dict[str, Any]) -> dict[str, Any]:
    """The logged certificate with the token of a test authority over its head."""
    whole = logged(made)
    token = (VECTORS / "stamp-v1.der").read_bytes()
    stamp = {
        "token": base64.b64encode(token).decode(),
        "stamped_at": STAMPED_AT,
        "proof": whole["log"]["proof"],
    }
    return {**whole, "log": {**whole["log"], "stamp": stamp}}


def path_of(hashes: list[bytes], index: int) -> list[bytes]:
    """RFC 9162, section 2.1.3.1, by its own recursion."""
    if len(hashes) == 1:
        return []
    cut = 1 << (len(hashes) - 1).bit_length() - 1
    left, right = hashes[:cut], hashes[cut:]
    if index < cut:
        return [*path_of(left, index), tree.root_of(right)]
    return [*path_of(right, index - cut), tree.root_of(left)]


VECTOR_CONTENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "certificate-v1.json": predicate,
    "certificate-v1-final.json": final,
    **{f"certificate-v1-{kind}.json": partial(part, kind) for kind in PART_EFFECT_TEXTS},
}


def main() -> None:
    for name, content in VECTOR_CONTENTS.items():
        vector = json.dumps(certificate(content()), indent=2, sort_keys=True) + "\n"
        (VECTORS / name).write_text(vector)
    vector = json.dumps(logged(certificate(predicate())), indent=2, sort_keys=True) + "\n"
    (VECTORS / "certificate-v1-logged.json").write_text(vector)
    vector = json.dumps(anchored(certificate(predicate())), indent=2, sort_keys=True) + "\n"
    (VECTORS / "certificate-v1-anchored.json").write_text(vector)
    vector = json.dumps(stamped(certificate(predicate())), indent=2, sort_keys=True) + "\n"
    (VECTORS / "certificate-v1-stamped.json").write_text(vector)
    SCHEMA_FILE.write_text(json.dumps(SCHEMA, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
