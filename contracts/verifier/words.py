"""What a report says to people: what the certificate states, what is proven and what is not."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from contracts.verifier import log
from contracts.verifier.anchors import Anchor
from contracts.verifier.certificate import INVALID, UNREADABLE, VALID, Report

PROVEN = (
    "The holder of the signing key made exactly this statement; no part of it was changed since.",
    "The statement has the prescribed shape and does not contradict itself.",
)
LOGGED = (
    "The log has an entry that commits to this certificate and to nothing else, under a head that "
    "the holder of the log's key signed."
)
NOT_PROVEN = (
    "That the statement is true: the signer says what it read in the key store.",
    "That nobody copied the data or the keys before they were destroyed.",
    "That no operator of the key store or of a backup kept a key.",
)
UNLOGGED = "When it was signed: this file holds no transparency log proof and no chain anchor."
UNANCHORED = (
    "When it entered the log, and that the log shows everybody the same: heads have no trusted "
    "time, and this file holds no chain anchor. Compare the head with one that others have seen."
)
SAID_TO_BE_ANCHORED = (
    "When it entered the log: the file says which blocks of which chains keep heads with it, and "
    "nothing in it proves that. Look a block up on a node that you trust, or have it asked (--rpc)."
)
TOLD_BY_NODE = (
    "That the node which was asked told the truth, and that its chain keeps the block for ever."
)
THREE_PERSONS = "That the three persons named by pseudonym are three human beings."
KEPT_DATA = "What other data of the person is kept: this certificate is about a part of it."
UNPUBLISHED = (
    "That the signing key is the controller's: it was taken from the certificate file itself. "
    "Compare it with the published one (/.well-known/lethe-keys), or give that with --keys."
)
PENDING = (
    "That no backup can bring the keys back: that date is not established, so this certificate "
    "is interim."
)
BY_WORD = (
    "That the copies which rest on an operator's word ended when it says: they could not be read."
)
ENDED = "That there was no copy of the stores besides those in the inventory of backups."
ABSENT = "That the key shares read as absent were destroyed: the key store merely lacks them."
LOST = (
    "That the key shares called lost were destroyed: the key store had lost them before, and a "
    "copy of it that somebody kept may hold them."
)
UNREACHED = "What the unreachable nodes of the key store hold: they were not read."
STAND_IN = "Anything about key custody: a development stand-in held these keys, no key store."


def proven(report: Report) -> list[str]:
    """What holds for this very certificate."""
    said = [*PROVEN, *([] if report.entry is None else [LOGGED])]
    return said + [_confirmed(anchor) for anchor in report.confirmed]


def not_proven(report: Report) -> list[str]:
    """The limits that hold for this very certificate."""
    said = [*NOT_PROVEN, _time_limit(report)]
    if report.keys_from == "file":
        said.insert(0, UNPUBLISHED)
    predicate = report.predicate
    if predicate is None:
        return said
    said.append(THREE_PERSONS if predicate["scope"]["kind"] == "subject" else KEPT_DATA)
    if predicate["irrecoverable_from"]["state"] == "pending":
        said.append(PENDING)
    else:
        said.append(ENDED)
        inventory = predicate["irrecoverable_from"]["inventory"]
        if any(line["evidence"] == "signed-by-operator" for line in inventory):
            said.append(BY_WORD)
    if any(share["state"] == "absent" for share in predicate["shares"]):
        said.append(ABSENT)
    if any(share["state"] == "lost" for share in predicate["shares"]):
        said.append(LOST)
    if any(node["state"] == "unreachable" for node in predicate["nodes"]):
        said.append(UNREACHED)
    if predicate["method"]["custodian"] == "keyring":
        said.append(STAND_IN)
    return said


def _time_limit(report: Report) -> str:
    if report.entry is None:
        return UNLOGGED
    if report.confirmed:
        return TOLD_BY_NODE
    return SAID_TO_BE_ANCHORED if report.anchors else UNANCHORED


def _confirmed(anchor: Anchor) -> str:
    said = (anchor.chain_id, anchor.part["block_number"], _time(anchor.part["block_time"]))
    return "Chain %d has a head with that entry in block %d, since %s." % said


def _time(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return "second %d" % seconds


def as_object(report: Report) -> dict[str, Any]:
    """The machine verdict."""
    predicate = report.predicate
    return {
        "verdict": report.verdict,
        "level": report.level,
        "reason": report.unreadable,
        "certificate_id": predicate and predicate["certificate_id"],
        "kind": predicate and predicate["kind"],
        "keys_from": report.keys_from,
        "signed_with": [
            {"key_id": key_id, "holder": holder, "public": public}
            for key_id, holder, public in report.signed_with
        ],
        "checks": [
            {"check": name, "passed": passed, "detail": detail or None}
            for name, passed, detail in report.checks
        ],
        "statement": predicate if report.verdict == VALID else None,
        "log": None if not report.level or report.entry is None else _log(report.entry),
        "anchors": [_anchor(anchor, report) for anchor in report.anchors if report.level],
        "proven": proven(report) if report.verdict == VALID else [],
        "not_proven": not_proven(report) if report.verdict == VALID else [],
    }


def as_text(report: Report) -> str:
    """The same for people."""
    if report.verdict == UNREADABLE:
        return "UNREADABLE: %s.\nNothing was checked." % report.unreadable
    lines = ["%-4s  %s%s" % _check_line(check) for check in report.checks]
    if report.verdict == INVALID:
        return "\n".join(["INVALID. Do not rely on this file.", "", *lines])
    return "\n".join(
        [
            "VALID: %s erasure certificate." % report.predicate["kind"],
            "",
            *lines,
            *("      key %s, held by %s: %s" % signed for signed in report.signed_with),
            *_log_lines(report),
            "",
            *_statement_lines(report.predicate),
            "",
            "Proven:",
            *("  - " + text for text in proven(report)),
            "Not proven:",
            *("  - " + text for text in not_proven(report)),
        ]
    )


def _log(entry: log.Entry) -> dict[str, Any]:
    return {
        "origin": entry.origin,
        "index": entry.index,
        "size": entry.size,
        "root": entry.root.hex(),
    }


def _anchor(anchor: Anchor, report: Report) -> dict[str, Any]:
    names = ("chain_id", "contract", "tx", "block_number", "block_hash", "block_time")
    return {
        **{name: anchor.part[name] for name in names},
        "size": anchor.entry.size,
        "confirmed": anchor in report.confirmed,
    }


def _log_lines(report: Report) -> list[str]:
    if report.entry is None:
        return []
    lines = [
        "      chain %d, block %d (%s), %s: head of %d entries"
        % (
            anchor.chain_id, anchor.part["block_number"], anchor.part["block_hash"],
            _time(anchor.part["block_time"]), anchor.entry.size,
        )
        for anchor in report.anchors
    ]  # fmt: skip
    return [*_entry_lines(report.entry), *lines]


def _entry_lines(entry: log.Entry) -> list[str]:
    return ["      log %(origin)s: entry %(index)d of %(size)d, root %(root)s" % _log(entry)]


def _check_line(check: tuple[str, bool, str]) -> tuple[str, str, str]:
    name, passed, detail = check
    return ("ok" if passed else "FAIL", name, ": " + detail if detail else "")


def _statement_lines(predicate: Any) -> list[str]:
    shares = predicate["shares"]
    counted = tuple(
        sum(1 for share in shares if share["state"] == state)
        for state in ("destroyed", "absent", "lost")
    )
    read = sum(1 for node in predicate["nodes"] if node["state"] == "read")
    deleted, tags = predicate["deleted"], predicate["suppression"]
    lines = [
        "What it states:",
        "  certificate %(certificate_id)s, erasure %(erasure_id)s" % predicate,
        "  controller %(controller_id)s, ground %(legal_ground)s" % predicate,
        *_scope_lines(predicate["scope"]),
        "  " + predicate["effect"],
        "  requested %(requested_at)s, decided %(decided_at)s" % predicate,
        "  no new reads since  %(fenced_at)s" % predicate,
        "  inaccessible since  %(destroyed_at)s" % predicate,
        "  verified            %(verified_at)s" % predicate,
        "  irrecoverable from  " + _end(predicate["irrecoverable_from"]),
        *_inventory_lines(predicate["irrecoverable_from"]),
        "  key shares: %d destroyed, %d absent, %d lost before; nodes of the key store read: "
        "%d of %d" % (*counted, read, len(predicate["nodes"])),
        "  deleted: %(records)d records, %(grants)d grants, %(tags)d lookup tags, "
        "%(openings)d openings" % deleted,
        "  leases that were open: %d; suppression tags kept until each source acknowledges: %d"
        % (predicate["leases_open_at_fence"], tags["tags_kept"]),
    ]
    for kept in predicate["kept"]:
        until = kept["until"] or "no date given"
        lines.append("  kept: %s, on ground %s, until %s" % (kept["code"], kept["ground"], until))
    named = predicate["roles"]
    roles = sorted((name, holder) for name, holder in named.items() if name != "requesters")
    requesters = [("requester", holder) for holder in named.get("requesters", [])]
    return lines + ["  %-9s %s" % role for role in requesters + roles]


def _scope_lines(scope: Any) -> list[str]:
    if scope["kind"] == "subject":
        return []
    if scope["kind"] == "groups":
        return ["  of one part only, key group " + ", ".join(scope["groups"])]
    lines = ["  of one part only, key group %s; why: %s" % (scope["group"], _listed(scope))]
    if scope["kind"] == "items":
        lines.append("  removed: %(records)d records in %(versions)d versions" % scope)
    return lines


def _inventory_lines(end: Any) -> list[str]:
    known = {"read-from-store": "read from the store", "signed-by-operator": "an operator's word"}
    return [
        "    %s gone at %s (%s)" % (line["kind"], line["expires_at"], known[line["evidence"]])
        for line in end.get("inventory", [])
    ]


def _listed(scope: Any) -> str:
    return ", ".join(scope["reasons"])


def _end(end: Any) -> str:
    if end["state"] == "established":
        return str(end["at"])
    return "not established: " + str(end["reason"])
