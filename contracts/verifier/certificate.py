"""What a certificate of erasure says besides being signed. See `docs/formats/certificate.md`."""

from __future__ import annotations

import hashlib
from typing import Any, List

from contracts.verifier import schema
from contracts.verifier.envelope import instant
from contracts.verifier.log import decoded


def event_problems(file: Any, predicate: Any) -> List[str]:
    """Why the event in the log part is not that of this very certificate's issue."""
    event = file["log"]["event"]
    details = event["details"]
    payload = decoded(file["envelope"]["payload"]) or b""
    named = (details["certificate"], details["kind"], details["sha256"])
    digest = hashlib.sha256(payload).hexdigest()
    problems = []
    if named != (predicate["certificate_id"], predicate["kind"], digest):
        problems.append("the event is about another certificate")
    if event["actor"] != predicate["roles"]["attester"]:
        problems.append("the event is of another process")
    return problems


def signer_problems(predicate: Any) -> List[str]:
    """Why whom it names as its signer cannot have made it."""
    if predicate["roles"]["attester"] != "process:" + predicate["signed_by"]:
        return ["the signer is not the process that read the destruction back"]
    return []


def problems(statement: Any) -> List[str]:
    """Where a statement of the right shape contradicts itself."""
    predicate = statement["predicate"]
    return (
        _time_problems(predicate)
        + _share_problems(statement, predicate)
        + _role_problems(predicate)
        + _end_problems(predicate)
    )


def _time_problems(predicate: Any) -> list[str]:
    problems = [
        name + " is no date of the calendar"
        for name in schema.TIMES
        if not _is_date(predicate, name)
    ]
    pairs = zip(schema.TIMES, schema.TIMES[1:])
    return problems + [
        later + " is before " + earlier
        for earlier, later in pairs
        if predicate[later] < predicate[earlier]
    ]


def _is_date(predicate: Any, name: str) -> bool:
    return instant(predicate[name]) is not None


def _share_problems(statement: Any, predicate: Any) -> list[str]:
    problems = []
    digests = [share["share"] for share in predicate["shares"]]
    named = [(item["name"], item["digest"]["sha256"]) for item in statement["subject"]]
    if named != [("key-share/%d" % (at + 1), digest) for at, digest in enumerate(digests)]:
        problems.append("the subjects of the statement are not the key shares, in order")
    if len(set(digests)) != len(digests):
        problems.append("a key share stands twice")
    worst = max((share["state"] for share in predicate["shares"]), key=schema.SHARE_STATES.index)
    texts = schema.PART_EFFECT_TEXTS.get(predicate["scope"]["kind"], schema.EFFECT_TEXTS)
    if predicate["effect"] != texts[worst]:
        problems.append("the effect claimed is not that of the key shares' states")
    dates = [share["destroyed_at"] for share in predicate["shares"]]
    if any(text is not None and instant(text) is None for text in dates):
        problems.append("a key share's time is no date of the calendar")
    nodes = [item["node"] for item in predicate["nodes"]]
    if len(set(nodes)) != len(nodes):
        problems.append("a node of the key store stands twice")
    if all(item["state"] != "read" for item in predicate["nodes"]):
        problems.append("no node of the key store was read")
    return problems


def _role_problems(predicate: Any) -> list[str]:
    roles = dict(predicate["roles"])
    is_part = "requesters" in roles
    if is_part != (predicate["scope"]["kind"] != "subject"):
        return ["the roles are not those of a certificate of this scope"]
    held = [*roles.pop("requesters", []), *roles.values()]
    return [] if len(set(held)) == len(held) else ["two roles were held by one"]


def _end_problems(predicate: Any) -> list[str]:
    end, final = predicate["irrecoverable_from"], predicate["kind"] == "final"
    if final != (end["state"] == "established"):
        return ["only a final certificate says from when nothing can be recovered"]
    if final != ("interim" in predicate):
        return ["a final certificate, and only it, refers to the interim one"]
    return _inventory_problems(predicate, end) if final else []


def _inventory_problems(predicate: Any, end: Any) -> list[str]:
    """Instants are texts of one width in UTC: they compare as times do."""
    times = [item["expires_at"] for item in end["inventory"]]
    if any(instant(text) is None for text in [end["at"], *times]):
        return ["a time of the backup inventory is no date of the calendar"]
    if end["at"] != max([predicate["destroyed_at"], *times]):
        return ["the end of recoverability is not the latest time of the inventory"]
    if end["at"] > predicate["issued_at"]:
        return ["the certificate is final before the last copy expired"]
    return []
