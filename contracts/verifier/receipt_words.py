"""A receipt in plain words."""

from __future__ import annotations

from typing import Any, List


def lines(kind: str, predicate: Any) -> List[str]:
    """What a receipt states, for people."""
    facts = predicate["facts"]
    said = {"consent": _consent, "decision": _decision, "lease": _lease}[kind](facts)
    status = predicate.get("status")
    if status is not None:
        said.append("  status list %(list_id)s, place %(index)d" % status)
    return said


def _consent(facts: Any) -> List[str]:
    text = facts["text_digest"] or "none named"
    return [
        "  consent %(consent_id)s %(decision)s at %(decided_at)s" % facts,
        "  controller %(controller_id)s" % facts,
        "  purpose %(purpose_id)s, version %(purpose_version)d" % facts,
        "  explicitly: %s; channel %s" % (("no", "yes")[facts["is_explicit"]], facts["channel"]),
        "  text shown: %s (%s)" % (text, facts["language"] or "no language named"),
        "  recorded %(recorded_at)s by %(recorded_by)s" % facts,
    ]


def _decision(facts: Any) -> List[str]:
    said = [
        "  request %(request_id)s for %(kind)s, ground %(ground)s: %(state)s" % facts,
        "  controller %(controller_id)s, erasure %(erasure_id)s" % facts,
        "  received %(received_at)s, due on %(due_on)s" % facts,
    ]
    if facts["mass_act"] is not None:
        said.append("  one of those of mass act %(mass_act)s" % facts)
    return said + ["  %(at)s  %(action)s  %(actor)s as %(role)s" % act for act in facts["acts"]]


def _lease(facts: Any) -> List[str]:
    opening, closing = facts["opening"], facts["closing"]
    left_out = ", ".join(
        "%s %d" % (name.replace("_", " "), count)
        for name, count in sorted(opening["exclusions"].items())
    )
    said = [
        "  lease %(lease_id)s of client %(client_id)s" % opening,
        "  controller %(controller_id)s" % opening,
        "  purpose %(purpose_id)s, version %(purpose_version)d" % opening,
        "  opened %(opened_at)s, until %(expires_at)s" % opening,
        "  people to be read: %d; left out: %s" % (opening["subjects"], left_out),
        *(
            "  category %s: %s" % (one["category"], ascii(", ".join(one["names"]))[1:-1])
            for one in opening["fields"]
        ),
    ]
    if closing is None:
        return [*said, "  not closed when this was signed"]
    return [
        *said,
        "  closed %(closed_at)s after %(records_sent)d records, %(bytes_sent)d bytes" % closing,
    ]
