"""Synthetic receipts and bundles, made from docs/formats alone, for the verifier in JavaScript."""

import copy
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core import canonical, dsse
from tests.vectors import make_certificate as maker

FORMAT = "urn:lethe:receipt-file:v1"
TYPES = {
    "consent": "urn:lethe:consent-receipt:v1",
    "decision": "urn:lethe:decision-record:v1",
    "lease": "urn:lethe:lease-manifest:v1",
}
SUBJECTS = {"consent": "consent", "decision": "request", "lease": "lease"}
SIGNER = maker.TestKeySigner()
LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"


def public(prefix: str, letter: str) -> str:
    return f"{prefix}_0{letter * 25}"


def uuid_of(public_id: str) -> str:
    number = 0
    for letter in public_id.partition("_")[2]:
        number = number * 32 + LETTERS.index(letter)
    digits = f"{number:032x}"
    cuts = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    return "-".join(digits[start:end] for start, end in cuts)


CONTROLLER = public("ctl", "c")
ERASURE = public("ers", "b")
REQUEST = public("req", "r")
DRAFTER, APPROVER, RELEASER = (public("psn", letter) for letter in "def")


def digest(value: Any) -> str:
    return hashlib.sha256(canonical.encode(value)).hexdigest()


def at(second: int, day: int = 6) -> str:
    return f"2026-03-{day:02}T09:00:{second:02}.000000Z"


def consent(decision: str = "given") -> dict[str, Any]:
    return {
        "consent_id": public("cns", "a"),
        "controller_id": CONTROLLER,
        "purpose_id": public("pur", "p"),
        "purpose_version": 2,
        "decision": decision,
        "is_explicit": True,
        "text_digest": "ab" * 32,
        "language": "de-AT",
        "channel": "web",
        "decided_at": at(1),
        "recorded_at": at(2),
        "recorded_by": public("cli", "k"),
    }


def decision(mass_act: str | None = None) -> dict[str, Any]:
    acts = [
        {"action": f"governance.request.{verb}", "actor": actor, "role": role, "at": at(number)}
        for number, (verb, actor, role) in enumerate(
            (
                ("drafted", DRAFTER, "clerk"),
                ("approved", APPROVER, "officer+deputy"),
                ("released", RELEASER, "releaser-2"),
            )
        )
    ]
    if mass_act is not None:
        for act in acts[:2]:
            act["action"] = act["action"].replace("request", "mass-act")
    return {
        "request_id": REQUEST,
        "erasure_id": ERASURE,
        "controller_id": CONTROLLER,
        "mass_act": mass_act,
        "kind": "erasure",
        "ground": "art17-1-b",
        "received_at": at(0, day=5),
        "due_on": "2026-04-05",
        "state": "released",
        "acts": acts,
    }


def lease(*, is_closed: bool = True) -> dict[str, Any]:
    opening = {
        "lease_id": public("lea", "m"),
        "controller_id": CONTROLLER,
        "purpose_id": public("pur", "p"),
        "client_id": public("cli", "k"),
        "purpose_version": 1,
        "fields": [
            {"category": public("cat", "a"), "names": ["Straße", "\U0001f600" * 200]},
            {"category": public("cat", "b"), "names": ["*"]},
        ],
        "subjects": 12,
        "exclusions": dict.fromkeys(
            ("refused", "withdrawn", "undecided", "restricted", "erased", "key_lost"), 0
        ),
        "opened_at": at(1),
        "expires_at": at(50),
    }
    closing = {
        "lease_id": public("lea", "m"),
        "closed_at": at(9),
        "records_sent": 12,
        "bytes_sent": 4096,
    }
    return {"opening": opening, "closing": closing if is_closed else None}


FACTS: dict[str, Any] = {"consent": consent, "decision": decision, "lease": lease}


def statement(
    kind: str, facts: Mapping[str, Any], status: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    predicate = {
        "facts": facts,
        "signed_by": "attester",
        "issued_at": at(0, day=7),
        "software": {"name": "lethe", "version": "0.1.0"},
        **({} if status is None else {"status": status}),
    }
    subjects = [(SUBJECTS[kind], digest(facts))]
    return dsse.statement(predicate_type=TYPES[kind], subjects=subjects, predicate=predicate)


def receipt(stated: Mapping[str, Any], signer: maker.TestKeySigner = SIGNER) -> dict[str, Any]:
    """A receipt file of any statement, signed as it is."""
    return {
        "format": FORMAT,
        "envelope": dsse.envelope(stated, signer=signer),
        "keys": maker.keys_document(signer, maker.LOGGERD),
    }


def event(action: str, actor: str, when: str, **members: Any) -> dict[str, Any]:
    return {
        "action": action,
        "actor": actor,
        "at": when,
        "controller": uuid_of(CONTROLLER),
        "details": {},
        "erasure": None,
        "id": "6f9619ff-8b86-4011-b42d-00c04fc964fc",
        "request": None,
        "role": "process",
        "trail": None,
        **members,
    }


def events_of(kind: str, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The events by which the log knows what the facts say."""
    if kind == "consent":
        details = {"facts": digest(facts), "count": 1, "is_new": True, "list": ["a", "b"]}
        trail = "6f9619ff-8b86-4011-b42d-00c04fc964fa"
        action = f"governance.consent.{facts['decision']}"
        return [
            event(action, facts["recorded_by"], facts["recorded_at"], details=details, trail=trail)
        ]
    if kind == "lease":
        opening, closing = facts["opening"], facts["closing"]
        parts = [("opened", opening["opened_at"], opening)]
        parts += [] if closing is None else [("closed", closing["closed_at"], closing)]
        return [
            event(
                f"governance.lease.{verb}",
                opening["client_id"],
                when,
                details={"facts": digest(part)},
            )
            for verb, when, part in parts
        ]
    return [
        event(act["action"], act["actor"], act["at"], role=act["role"], details=_names(act, facts))
        for act in facts["acts"]
    ]


def _names(act: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    if ".mass-act." in act["action"]:
        return {"mass_act": facts["mass_act"]}
    more = {} if facts["mass_act"] is None else {"mass_act": facts["mass_act"]}
    return {"request": facts["request_id"], **more}


def entry(named: dict[str, Any], *, index: int = 33, size: int = 67) -> dict[str, Any]:
    """The event in a log of so many entries."""
    found: dict[str, Any] = maker.logged({}, of=named, index=index, size=size)["log"]
    return found


def logged(made: dict[str, Any], events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first = 70 + 10 * len(events)  # no two kinds in logs of one size, since each is in its own
    entries = [entry(named, index=at, size=first + at) for at, named in enumerate(events)]
    return {**made, "log": {"entries": entries}}


def anchored(made: dict[str, Any]) -> dict[str, Any]:
    """Every entry of the logged receipt has a head that a synthetic chain is said to keep."""
    part = dict(maker.anchored(maker.certificate(maker.predicate()))["log"]["anchors"][0])
    del part["receipt"]  # it is of another head
    entries = [
        {**one, "anchors": [{**part, "proof": entry(one["event"], size=40)["proof"]}]}
        for one in made["log"]["entries"]
    ]
    return {**made, "log": {"entries": entries}}


def whole(kind: str, **options: Any) -> dict[str, Any]:
    """A good receipt of the kind, logged."""
    facts = FACTS[kind](**options)
    return logged(receipt(statement(kind, facts)), events_of(kind, facts))


def as_bytes(made: Mapping[str, Any]) -> bytes:
    return json.dumps(made).encode()


def altered(file: Any, change: Callable[[Any], object]) -> bytes:
    content = copy.deepcopy(file)
    change(content)
    return as_bytes(content)


def relogged(kind: str, at: int, change: Callable[[Any], object], **options: Any) -> bytes:
    """A receipt one of whose events was another when the log committed to it."""
    file = whole(kind, **options)
    event = copy.deepcopy(file["log"]["entries"][at]["event"])
    change(event)
    file["log"]["entries"][at] = entry(event)
    return as_bytes(file)
