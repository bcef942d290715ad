"""Checks of one signed document, a certificate or a receipt, without printing."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from contracts.verifier import (
    certificate,
    envelope,
    opened,
    receipt,
    schema,
    schema_receipt,
    strict_json,
)
from contracts.verifier.envelope import Keys
from contracts.verifier.report import ANCHORED, LOGGED, Report

_SHAPES: Dict[str, Any] = {
    schema.FILE_TYPE: schema.SCHEMA,
    schema_receipt.FILE_TYPE: schema_receipt.SCHEMA,
}
_KINDS = {
    schema_receipt.CONSENT_TYPE: "consent",
    schema_receipt.DECISION_TYPE: "decision",
    schema_receipt.LEASE_TYPE: "lease",
}


def examine(content: bytes, keys_content: Optional[bytes] = None) -> Report:
    """Check the bytes of a document, with the published keys document when given."""
    report = Report()
    try:
        file = strict_json.read(content)
    except strict_json.NotStrictError as error:
        report.unreadable = str(error)
        return report
    shape = _SHAPES.get(_format(file))
    if shape is None:
        report.unreadable = "the file is no certificate and no receipt of this format"
        return report
    keys = envelope.find_keys(report, file, keys_content)
    if keys is None:
        return report
    faults = schema.faults if file["format"] == schema.FILE_TYPE else schema_receipt.faults
    if not report.check("shape of the file", faults(file, shape)):
        return report
    _examine_statement(report, file, shape["$defs"], keys)
    if report.predicate is not None and "log" in file:
        _examine_log(report, file, keys)
    return report


def _format(file: Any) -> str:
    named = file.get("format") if isinstance(file, dict) else None
    return named if isinstance(named, str) else ""


def _examine_statement(report: Report, file: Any, defs: Any, keys: Keys) -> None:
    statement = envelope.find_statement(report, file["envelope"], defs["statement"], defs)
    if statement is None:
        return
    predicate, is_receipt = statement["predicate"], file["format"] == schema_receipt.FILE_TYPE
    if is_receipt:
        report.kind = _KINDS[statement["predicateType"]]
    signed = envelope.signature_problems(report, file["envelope"], keys)
    own = receipt.problems(statement) if is_receipt else certificate.problems(statement)
    signer = envelope.signer_problems(report, predicate, keys)
    if not is_receipt:
        signer += certificate.signer_problems(predicate)
    passed = [
        report.check("signature", signed),
        report.check("agreement of the statement with itself", own),
        report.check("signer", signer),
    ]
    if all(passed):
        report.predicate = predicate
        report.statement = statement


def _examine_log(report: Report, file: Any, keys: Keys) -> None:
    """That the log has the events by which this very document came about."""
    if report.kind == "certificate":
        parts = [file["log"]]
        problems = certificate.event_problems(file, report.predicate)
    else:
        parts = file["log"]["entries"]
        problems = receipt.event_problems(report.statement, parts)
    found = [opened.examine(part, keys) for part in parts]
    problems += _all(one.unread for one in found)
    if not report.check("log: event", problems, LOGGED):
        return
    passed = [
        report.check("log: inclusion", _all(one.inclusion for one in found), LOGGED),
        report.check("log: head", _all(one.head for one in found), LOGGED),
    ]
    if any("anchors" in part for part in parts):
        anchored = _all(one.anchored for one in found)
        passed.append(report.check("log: anchored heads", anchored, ANCHORED))
    if any("stamp" in part for part in parts):
        stamped = _all(one.stamped for one in found)
        passed.append(report.check("log: stamped heads", stamped, ANCHORED))
    if all(passed[:2]):
        report.signed_with += dict.fromkeys(one.key for one in found if one.key is not None)
        report.entries = [one.entry for one in found if one.entry is not None]
        report.anchors = [one.anchors for one in found]
        report.stamps = [one.stamp for one in found if one.stamp is not None]


def _all(lists: Any) -> List[str]:
    return [problem for problems in lists for problem in problems]
