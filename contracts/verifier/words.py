"""What a report says to people and to programs."""

from __future__ import annotations

from typing import Any, Dict, List, Union

from contracts.verifier import certificate_words, limits, log, receipt_words
from contracts.verifier.anchors import Anchor
from contracts.verifier.bundle import Bundle
from contracts.verifier.report import INVALID, UNREADABLE, VALID, Check, Report

_TITLES = {
    "consent": "consent receipt",
    "decision": "record of decisions",
    "lease": "lease manifest",
}
_LEVELS = {
    0: "signed as stated",
    1: "in the log",
    2: "anchored on a chain",
    3: "log tells the same story",
}


def as_object(report: Union[Report, Bundle]) -> Dict[str, Any]:
    """The machine verdict."""
    told = {
        "verdict": report.verdict,
        "kind": report.kind,
        "level": report.level,
        "levels": {str(level): state for level, state in report.levels.items()},
        "reason": report.unreadable,
        "checks": [
            {
                "check": check.name,
                "passed": check.passed,
                "level": check.level,
                "detail": check.detail or None,
            }
            for check in report.checks
        ],
        "not_proven": not_proven(report) if report.verdict == VALID else [],
    }
    if isinstance(report, Bundle):
        documents = [{"name": name, **as_object(one)} for name, one in report.documents]
        return {**told, "documents": documents}
    return {**told, **_document(report)}


def not_proven(report: Union[Report, Bundle]) -> List[str]:
    """The limits of a document, or those of all documents of a bundle."""
    if isinstance(report, Report):
        return limits.not_proven(report)
    of_all = [text for _, one in report.documents for text in limits.not_proven(one)]
    return list(dict.fromkeys(of_all))


def _document(report: Report) -> Dict[str, Any]:
    predicate = report.predicate
    is_certificate = report.kind == "certificate" and predicate is not None
    anchors = [anchor for of_entry in report.anchors for anchor in of_entry]
    return {
        "certificate_id": predicate["certificate_id"] if is_certificate else None,
        "keys_from": report.keys_from,
        "signed_with": [
            {"key_id": key_id, "holder": holder, "public": public}
            for key_id, holder, public in report.signed_with
        ],
        "statement": predicate if report.verdict == VALID else None,
        "log": [_log(entry) for entry in report.entries if report.level],
        "anchors": [_anchor(anchor, report) for anchor in anchors if report.level],
        "stamps": [
            {"stamped_at": one.stamped_at, "size": one.entry.size}
            for one in report.stamps
            if report.level
        ],
        "proven": limits.proven(report) if report.verdict == VALID else [],
    }


def as_text(report: Union[Report, Bundle]) -> str:
    """The same for people."""
    if report.verdict == UNREADABLE:
        return "UNREADABLE: %s.\nNothing was checked." % report.unreadable
    if isinstance(report, Bundle):
        return _bundle_text(report)
    lines = [_check_line(check) for check in report.checks]
    if report.verdict == INVALID:
        return "\n".join(["INVALID. Do not rely on this file.", "", *lines])
    return "\n".join(
        [
            "VALID: %s." % _title(report),
            "",
            *lines,
            *("      key %s, held by %s: %s" % signed for signed in report.signed_with),
            *_log_lines(report),
            "",
            "What it states:",
            *_statement_lines(report),
            "",
            "Proven:",
            *("  - " + text for text in limits.proven(report)),
            "Not proven:",
            *("  - " + text for text in limits.not_proven(report)),
        ]
    )


def _bundle_text(bundle: Bundle) -> str:
    is_valid = bundle.verdict == VALID
    lines = [
        "VALID: bundle of %d documents." % len(bundle.documents)
        if is_valid
        else "INVALID. Do not rely on this bundle.",
        "",
        *map(_check_line, bundle.checks),
    ]
    for name, report in bundle.documents:
        lines += ["", "%s: %s" % (name, _title(report)), *map(_check_line, report.checks)]
        if is_valid:
            lines += [*_log_lines(report), *_statement_lines(report)]
    lines += ["", "Levels:"]
    lines += ["  %d  %-9s  %s" % (n, state, _LEVELS[n]) for n, state in bundle.levels.items()]
    if is_valid:
        lines += ["", "Not proven:", *("  - " + text for text in not_proven(bundle))]
    return "\n".join(lines)


def _title(report: Report) -> str:
    if report.kind == "certificate":
        kind = "" if report.predicate is None else report.predicate["kind"] + " "
        return kind + "erasure certificate"
    return _TITLES[report.kind]


def _statement_lines(report: Report) -> List[str]:
    if report.kind == "certificate":
        return certificate_words.lines(report.predicate)
    return receipt_words.lines(report.kind, report.predicate)


def _log(entry: log.Entry) -> Dict[str, Any]:
    return {
        "origin": entry.origin,
        "index": entry.index,
        "size": entry.size,
        "root": entry.root.hex(),
    }


def _anchor(anchor: Anchor, report: Report) -> Dict[str, Any]:
    names = ("chain_id", "contract", "tx", "block_number", "block_hash", "block_time")
    return {
        **{name: anchor.part[name] for name in names},
        "size": anchor.entry.size,
        "in_block": anchor.in_block,
        "confirmed": anchor in report.confirmed,
    }


def _log_lines(report: Report) -> List[str]:
    lines = []
    for entry, anchors in zip(report.entries, report.anchors):
        told = _log(entry)
        lines.append("      log %(origin)s: entry %(index)d of %(size)d, root %(root)s" % told)
        lines += ["      " + _anchor_line(anchor) for anchor in anchors]
    for stamp in report.stamps:
        said = (stamp.stamped_at, stamp.entry.size)
        lines.append("      token of %s over a head of %d entries" % said)
    return lines


def _anchor_line(anchor: Anchor) -> str:
    part = anchor.part
    said = (anchor.chain_id, part["block_number"], part["block_hash"])
    time = limits.time_of(part["block_time"])
    return "chain %d, block %d (%s), %s: head of %d entries" % (*said, time, anchor.entry.size)


def _check_line(check: Check) -> str:
    detail = ": " + check.detail if check.detail else ""
    return "%-4s  %s%s" % ("ok" if check.passed else "FAIL", check.name, detail)
