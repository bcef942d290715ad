"""Checks of an erasure certificate, without printing. See `docs/formats/certificate.md`."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime
from typing import Any, Dict

from contracts.verifier import anchors, ed25519, log, schema, strict_json

VALID, INVALID, UNREADABLE = "valid", "invalid", "unreadable"


Keys = Dict[str, Any]


class Report:
    """What was found: checks as (name, passed, detail), and the statement if it is signed."""

    def __init__(self) -> None:
        self.checks: list[tuple[str, bool, str]] = []
        self.unreadable: str | None = None
        self.keys_from: str | None = None
        self.signed_with: list[tuple[str, str, str]] = []
        self.predicate: Any = None
        self.entry: log.Entry | None = None
        self.anchors: list[anchors.Anchor] = []
        self.confirmed: list[anchors.Anchor] = []

    @property
    def level(self) -> int | None:
        """0: signed as stated; 1: the log has it, too; 2: and a node shows a head with it.

        None unless the file is valid.
        """
        if self.verdict != VALID:
            return None
        return 2 if self.confirmed else 0 if self.entry is None else 1

    def confirm(self, url: str) -> None:
        """Ask the node at `url` for the anchors; what it contradicts makes the file invalid."""
        if self.level is not None:
            found, problems = anchors.confirm(self.anchors, url)
            self.check("chain", problems)
            self.confirmed = found

    def check(self, name: str, problems: list[str]) -> bool:
        """Record one check; true when there are no problems."""
        self.checks.append((name, not problems, "; ".join(problems[:5])))
        return not problems

    @property
    def verdict(self) -> str:
        if self.unreadable is not None:
            return UNREADABLE
        passed = bool(self.checks) and all(done for _, done, _ in self.checks)
        return VALID if passed and self.predicate is not None else INVALID


def examine(content: bytes, keys_content: bytes | None = None) -> Report:
    """Check the bytes of a certificate file, with the published keys document when given."""
    report = Report()
    try:
        file = strict_json.read(content)
    except strict_json.NotStrictError as error:
        report.unreadable = str(error)
        return report
    if not isinstance(file, dict) or file.get("format") != schema.FILE_TYPE:
        report.unreadable = "the file is not an erasure certificate of this format"
        return report
    keys = _keys(report, file, keys_content)
    if keys is None or not report.check("shape of the file", schema.faults(file, schema.SCHEMA)):
        return report
    statement = _statement(report, file["envelope"])
    if statement is None:
        return report
    named = report.check("signature", _signature_problems(report, file["envelope"], keys))
    agreed = report.check("agreement of the statement with itself", _problems(statement))
    signer = report.check("signer", _signer_problems(report, statement["predicate"], keys))
    if named and agreed and signer:
        report.predicate = statement["predicate"]
        if "log" in file:
            _examine_log(report, file, keys)
    return report


def _examine_log(report: Report, file: Any, keys: Keys) -> None:
    """That the log has the event by which this very certificate was issued."""
    part, predicate = file["log"], report.predicate
    event, details = part["event"], part["event"]["details"]
    payload = _decoded(file["envelope"]["payload"]) or b""
    named = (details["certificate"], details["kind"], details["sha256"])
    problems = []
    if named != (
        predicate["certificate_id"],
        predicate["kind"],
        hashlib.sha256(payload).hexdigest(),
    ):
        problems.append("the event is about another certificate")
    if event["actor"] != predicate["roles"]["attester"]:
        problems.append("the event is of another process")
    entry = log.parse(part["proof"])
    if entry is None:
        problems.append("the proof is not a tlog-proof with a checkpoint")
    if not report.check("log: event", problems) or entry is None:
        return
    leaf = log.commitment(event, bytes.fromhex(part["r"]))
    included = report.check("log: inclusion", log.inclusion_problems(entry, leaf))
    problems, key = log.signature_problems(entry, keys)
    if report.check("log: head", problems) and included and key is not None:
        report.signed_with.append(key)
        report.entry = entry
    if "anchors" in part:
        report.anchors, problems = anchors.examine(part["anchors"], leaf, keys)
        report.check("log: anchored heads", problems)


def _keys(report: Report, file: Any, keys_content: bytes | None) -> Keys | None:
    """The keys to check with by id, or None when there are none to read."""
    document = file.get("keys")
    report.keys_from = "file"
    if keys_content is not None:
        report.keys_from = "given"
        try:
            document = strict_json.read(keys_content)
        except strict_json.NotStrictError as error:
            report.unreadable = "the keys document cannot be read: " + str(error)
            return None
    if document is None:
        report.keys_from = None
        report.check("keys", ["the file brings no keys; name the published document with --keys"])
        return None
    problems = schema.faults(document, schema.SCHEMA["$defs"]["keys"], "keys")
    if not problems:
        ids = [key["key_id"] for key in document["keys"]]
        if len(set(ids)) != len(ids):
            problems = ["keys: a key id stands twice"]
    if not report.check("keys", problems):
        return None
    return {key["key_id"]: key for key in document["keys"]}


def _decoded(text: str) -> bytes | None:
    """Bytes of standard base 64 in its one canonical spelling, else None."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if base64.b64encode(content).decode("ascii") == text else None


def _statement(report: Report, envelope: Any) -> Any:
    payload = _decoded(envelope["payload"])
    if payload is None:
        report.check("payload", ["the payload is not base 64"])
        return None
    try:
        statement = strict_json.read(payload)
    except strict_json.NotStrictError as error:
        report.check("payload", ["the payload cannot be read: " + str(error)])
        return None
    problems = schema.faults(statement, schema.SCHEMA["$defs"]["statement"], "statement")
    if not problems and strict_json.write(statement) != payload:
        problems = ["the payload is not in canonical form"]
    return statement if report.check("payload", problems) else None


def pae(payload: bytes) -> bytes:
    """What is signed: the pre-authentication encoding of DSSE v1."""
    kind = schema.PAYLOAD_TYPE.encode("ascii")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _signature_problems(report: Report, envelope: Any, keys: Keys) -> list[str]:
    message = pae(_decoded(envelope["payload"]) or b"")
    problems = []
    for number, item in enumerate(envelope["signatures"]):
        place = "signature %d: " % number
        key, value = keys.get(item["keyid"]), _decoded(item["sig"])
        if key is None:
            problems.append(place + "its key is not in the keys document")
        elif value is None or not ed25519.verify(bytes.fromhex(key["public"]), message, value):
            problems.append(place + "does not verify")
        elif key["revoked_at"] is not None:
            problems.append(place + "its key was revoked; the signature alone has no date")
        else:
            report.signed_with.append((item["keyid"], key["holder"], key["public"]))
    return problems


def _signer_problems(report: Report, predicate: Any, keys: Keys) -> list[str]:
    holders = {holder for _, holder, _ in report.signed_with}
    problems = []
    if holders != {predicate["signed_by"]}:
        problems.append("the key's holder is not the signer that the statement names")
    if predicate["roles"]["attester"] != "process:" + predicate["signed_by"]:
        problems.append("the signer is not the process that read the destruction back")
    if any(key["key_id"].rpartition(":")[0] != key["holder"] for key in keys.values()):
        problems.append("a key id does not name its holder")
    return problems


def instant(text: str) -> datetime | None:
    """The time in `text`, or None for a day that does not exist."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007  Z is in the format
    except ValueError:
        return None


def _problems(statement: Any) -> list[str]:
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
    pairs = zip(schema.TIMES, schema.TIMES[1:])  # noqa: B905  Python 3.9 has neither
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
