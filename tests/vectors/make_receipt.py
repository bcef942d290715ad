"""Writes receipt-v1-*.json, bundle-v1.zip and the schema anew; synthetic data, fixed test keys.

Run by hand after a deliberate change of the format: `python -m tests.vectors.make_receipt`.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from contracts.domain import checkpoint, tree
from contracts.verifier import bundle, schema_receipt, story
from contracts.verifier.opened import uuid_of
from contracts.verifier.schema_receipt import CONSENT_TYPE, DECISION_TYPE, LEASE_TYPE, SUBJECTS
from core import canonical, commitment, dsse
from tests.vectors import make_block
from tests.vectors import make_certificate as maker
from tests.vectors.make_certificate import LOGGERD, VECTORS, TestKeySigner

WEB = TestKeySigner(bytes([5]) * 32, "web:1")
SCHEMA_FILE = maker.SCHEMA_FILE.with_name("receipt.schema.json")
SIZE = 67
Facts = dict[str, Any]


def _id(prefix: str, letter: str) -> str:
    return f"{prefix}_0{letter * 25}"


def consent(decision: str = "given") -> Facts:
    return {
        "consent_id": _id("cns", "a"),
        "controller_id": _id("ctl", "c"),
        "purpose_id": _id("pur", "b"),
        "purpose_version": 2,
        "decision": decision,
        "is_explicit": True,
        "text_digest": "4f" * 32,
        "language": "de-CH",
        "channel": "web",
        "decided_at": "2026-03-01T08:00:00.000000Z",
        "recorded_at": "2026-03-01T08:00:01.000000Z",
        "recorded_by": _id("cli", "d"),
    }


def decision() -> Facts:
    """The decisions that led to `make_certificate.predicate`."""
    roles = maker.predicate()["roles"]
    acts = (
        ("drafted", roles["drafter"], "analyst", "2026-03-05T10:00:00.000000Z"),
        ("approved", roles["approver"], "compliance-officer", maker.timeline()["decided_at"]),
        ("released", roles["releaser"], "key-custodian", maker.timeline()["fenced_at"]),
    )
    return {
        "request_id": _id("req", "e"),
        "erasure_id": maker.predicate()["erasure_id"],
        "controller_id": maker.predicate()["controller_id"],
        "mass_act": None,
        "kind": "erasure",
        "ground": "art17-1-b",
        "received_at": maker.timeline()["requested_at"],
        "due_on": "2026-04-07",
        "state": "certified",
        "acts": [
            {"action": f"governance.request.{step}", "actor": actor, "role": role, "at": at}
            for step, actor, role, at in acts
        ],
    }


def lease(*, is_closed: bool = True) -> Facts:
    opening = {
        "lease_id": _id("lea", "f"),
        "controller_id": _id("ctl", "c"),
        "purpose_id": _id("pur", "b"),
        "purpose_version": 2,
        "client_id": _id("cli", "d"),
        "fields": [
            {"category": _id("cat", "a"), "names": ["*"]},
            {"category": _id("cat", "b"), "names": ["age", "größe"]},
        ],
        "subjects": 7,
        "exclusions": dict.fromkeys(schema_receipt.EXCLUSIONS, 1),
        "opened_at": "2026-03-02T08:00:00.000000Z",
        "expires_at": "2026-03-02T16:00:00.000000Z",
    }
    closing = {
        "lease_id": _id("lea", "f"),
        "closed_at": "2026-03-02T09:00:00.000000Z",
        "records_sent": 7,
        "bytes_sent": 4096,
    }
    return {"opening": opening, "closing": closing if is_closed else None}


def digest(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical.encode(dict(facts))).hexdigest()


def statement(kind: str, facts: Facts, **more: Any) -> dict[str, Any]:
    predicate = {
        "facts": facts,
        "signed_by": "web",
        "issued_at": "2026-03-10T08:00:00.000000Z",
        "software": {"name": "lethe", "version": "0.1.0"},
        **more,
    }
    subjects = [(SUBJECTS[kind], digest(facts))]
    return dsse.statement(predicate_type=kind, subjects=subjects, predicate=predicate)


def receipt(kind: str, facts: Facts, **more: Any) -> dict[str, Any]:
    envelope = dsse.envelope(statement(kind, facts, **more), signer=WEB)
    keys = maker.keys_document(TestKeySigner(), WEB, LOGGERD)
    return {"format": schema_receipt.FILE_TYPE, "envelope": envelope, "keys": keys}


def event(action: str, actor: str, at: str, **more: Any) -> dict[str, Any]:
    """An event as the log commits to it."""
    return {
        "action": action,
        "actor": actor,
        "at": at,
        "controller": uuid_of(_id("ctl", "c")),
        "details": {},
        "erasure": None,
        "id": "6f9619ff-8b86-4011-b42d-00c04fc964fb",
        "request": None,
        "role": "process",
        "trail": None,
        **more,
    }


def events_of(kind: str, facts: Facts) -> list[dict[str, Any]]:
    if kind == CONSENT_TYPE:
        action = f"governance.consent.{facts['decision']}"
        told = {"facts": digest(facts), "consent": "x", "purpose": "y"}
        trail = "6f9619ff-8b86-4011-b42d-00c04fc964aa"
        by, at = facts["recorded_by"], facts["recorded_at"]
        return [event(action, by, at, details=told, trail=trail)]
    if kind == DECISION_TYPE:
        told = {"request": facts["request_id"], "kind": "erasure", "ground": facts["ground"]}
        erasure = uuid_of(facts["erasure_id"])
        return [
            event(
                act["action"], act["actor"], act["at"],
                role=act["role"], details=told, erasure=erasure,
            )
            for act in facts["acts"]
        ]  # fmt: skip
    client, closing = facts["opening"]["client_id"], facts["closing"]
    parts = [("opened", facts["opening"]["opened_at"], facts["opening"])]
    if closing is not None:
        parts.append(("closed", closing["closed_at"], closing))
    return [
        event(f"governance.lease.{step}", client, at, details={"facts": digest(part)})
        for step, at, part in parts
    ]


def entries(events: Sequence[Mapping[str, Any]], *, size: int = SIZE) -> list[dict[str, Any]]:
    """The events opened, with their proofs in one synthetic log."""
    log = SyntheticLog(events)
    return [log.entry(number, size) for number in range(len(events))]


class SyntheticLog:
    """A log in which the events stand among others; its smaller trees are beginnings of it."""

    def __init__(self, events: Sequence[Mapping[str, Any]]) -> None:
        self.events = events
        leaves = [number.to_bytes(32, "big") for number in range(SIZE)]
        for number, one in enumerate(events):
            leaves[self._place(number)] = commitment.leaf_of(
                dict(one), tag=commitment.AUDIT_EVENT, r=self._r(number)
            )
        self._hashes = tree.hashes_of(leaves)

    def entry(self, number: int, size: int = SIZE) -> dict[str, Any]:
        proof = self.proof(number, size)
        return {"event": dict(self.events[number]), "r": self._r(number).hex(), "proof": proof}

    def proof(self, number: int, size: int) -> str:
        hashes, index = self._hashes[:size], self._place(number)
        edge, _ = tree.Edge().grown(hashes)
        head = checkpoint.Head("log.example/synthetic", size, edge.root())
        value = LOGGERD.sign(head.text().encode()).value
        line = checkpoint.signature_line(head.origin, LOGGERD.public, value)
        path = maker.path_of(hashes, index)
        note = checkpoint.note(head.text(), [line])
        return checkpoint.proof_text(index=index, path=path, checkpoint=note)

    @staticmethod
    def _place(number: int) -> int:
        return 5 + 3 * number

    @staticmethod
    def _r(number: int) -> bytes:
        return bytes([9, number]) * 16


def logged(kind: str, facts: Facts, **more: Any) -> dict[str, Any]:
    return {**receipt(kind, facts, **more), "log": {"entries": entries(events_of(kind, facts))}}


def story_events() -> list[dict[str, Any]]:
    """What the log tells of the erasure that `make_certificate.predicate` certifies."""
    content = maker.predicate()
    roles, erasure = content["roles"], uuid_of(content["erasure_id"])
    steps = (
        ("fenced", "fenced_at", roles["releaser"]),
        ("drained", "drained_at", roles["eraser"]),
        ("ordered", "ordered_at", roles["eraser"]),
        ("keys_destroyed", "destroyed_at", roles["eraser"]),
        ("swept", "swept_at", roles["eraser"]),
        ("verified", "verified_at", roles["attester"]),
    )
    return [
        *events_of(DECISION_TYPE, decision()),
        *(
            event(f"vault.shredding.{step}", actor, content[time], erasure=erasure)
            for step, time, actor in steps
        ),
    ]


def bundle_files() -> dict[str, tuple[str, Any]]:
    """Names, roles and contents, the JSON ones as values."""
    certificate = maker.certificate(maker.predicate())
    told = story_events()
    log = SyntheticLog([maker.event(certificate), *told])
    anchors = [
        {**part, "proof": log.proof(0, size)}
        for part, size in zip(maker.anchored(certificate)["log"]["anchors"], (40, 64), strict=True)
    ]
    anchors[0] = make_block.with_receipt(anchors[0])
    certificate["log"] = {**log.entry(0), "anchors": anchors}
    decisions = receipt(DECISION_TYPE, decision())
    decisions["log"] = {"entries": [log.entry(number) for number in (1, 2, 3)]}
    opened = [log.entry(number) for number in range(1, len(told) + 1)]
    return {
        "readme.txt": ("text", b"Synthetic.\n"),
        "receipt-decisions.json": ("document", _bare(decisions)),
        "certificate-interim.json": ("document", _bare(certificate)),
        "events.json": ("events", {"format": story.FILE_TYPE, "entries": opened}),
        "keys.json": ("keys", maker.keys_document(TestKeySigner(), WEB, LOGGERD)),
        "verify.py": ("program", b"# synthetic\n"),
    }


def _bare(file: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in file.items() if name != "keys"}


def packed(files: Mapping[str, tuple[str, Any]], manifest: Any = None) -> bytes:
    """The zip of these files; their manifest fits them unless another is given."""
    contents = {
        name: part if isinstance(part, bytes) else json.dumps(part).encode()
        for name, (_, part) in files.items()
    }
    fitting = {
        "format": bundle.FILE_TYPE,
        "files": [
            {"name": name, "role": role, "sha256": hashlib.sha256(contents[name]).hexdigest()}
            for name, (role, _) in files.items()
        ],
    }
    text = json.dumps(fitting if manifest is None else manifest).encode()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, content in {"bundle.json": text, **contents}.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return made.getvalue()


STATUS = {"list_id": "3c" * 32, "index": 94567}
VECTOR_FILES: dict[str, Callable[[], dict[str, Any]]] = {
    "receipt-v1-consent.json": lambda: logged(CONSENT_TYPE, consent(), status=STATUS),
    "receipt-v1-refusal.json": lambda: logged(CONSENT_TYPE, consent("refused")),
    "receipt-v1-decision.json": lambda: logged(DECISION_TYPE, decision()),
    "receipt-v1-lease.json": lambda: logged(LEASE_TYPE, lease()),
    "receipt-v1-lease-open.json": lambda: receipt(LEASE_TYPE, lease(is_closed=False)),
}


def main() -> None:
    for name, made in VECTOR_FILES.items():
        (VECTORS / name).write_text(json.dumps(made(), indent=2, sort_keys=True) + "\n")
    (VECTORS / "bundle-v1.zip").write_bytes(packed(bundle_files()))
    SCHEMA_FILE.write_text(json.dumps(schema_receipt.SCHEMA, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
