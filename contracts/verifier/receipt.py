"""What a receipt says besides being signed. See `docs/formats/receipt.md`."""

from __future__ import annotations

import hashlib
from typing import Any, List

from contracts.verifier import strict_json
from contracts.verifier.envelope import instant
from contracts.verifier.opened import uuid_of
from contracts.verifier.schema_receipt import CONSENT_TYPE, DECISION_TYPE, LEASE_TYPE

_TIMES = ("decided_at", "recorded_at", "received_at", "opened_at", "expires_at", "closed_at", "at")


def digest(facts: Any) -> str:
    """What an event or statement names facts by."""
    return hashlib.sha256(strict_json.write(facts)).hexdigest()


def problems(statement: Any) -> List[str]:
    """Where a statement of the right shape contradicts itself."""
    predicate = statement["predicate"]
    facts, found = predicate["facts"], []
    if statement["subject"][0]["digest"]["sha256"] != digest(facts):
        found.append("the statement's subject is not the digest of its facts")
    if instant(predicate["issued_at"]) is None or not _are_dates(facts):
        found.append("a time is no date of the calendar")
    kind = statement["predicateType"]
    if kind == CONSENT_TYPE and "status" in predicate and facts["decision"] != "given":
        found.append("only a consent that was given has a status")
    if kind == DECISION_TYPE and not _are_sorted(facts["acts"], "at"):
        found.append("the acts are not in the order of time")
    if kind == LEASE_TYPE and not _are_sorted(facts["opening"]["fields"], "category"):
        found.append("the fields are not in the order of their categories")
    if kind == LEASE_TYPE and not _is_one_lease(facts):
        found.append("another lease was closed than was opened")
    return found


def _is_one_lease(facts: Any) -> bool:
    opening, closing = facts["opening"], facts["closing"]
    return closing is None or bool(closing["lease_id"] == opening["lease_id"])


def _are_sorted(items: List[Any], name: str) -> bool:
    values = [item[name] for item in items]
    return values == sorted(values)


def _are_dates(facts: Any) -> bool:
    """Whether every time among the facts exists."""
    if isinstance(facts, list):
        return all(map(_are_dates, facts))
    if not isinstance(facts, dict):
        return True
    times = [facts[name] for name in _TIMES if name in facts]
    if "due_on" in facts:
        times.append(facts["due_on"] + "T00:00:00.000000Z")
    return None not in map(instant, times) and all(map(_are_dates, facts.values()))


def event_problems(statement: Any, entries: Any) -> List[str]:
    """Why the events of the log part are not those of these facts."""
    facts, kind = statement["predicate"]["facts"], statement["predicateType"]
    wanted = _WANTED.get(kind, _of_lease)(facts)
    if len(wanted) != len(entries):
        return ["the log part has not the entries of these facts"]
    controller = uuid_of(facts.get("opening", facts)["controller_id"])
    found = []
    for number, (want, entry) in enumerate(zip(wanted, entries)):
        event = entry["event"]
        told = {name: event[name] for name in want if name != "details"}
        for name, value in want["details"].items():
            if value is None or event["details"].get(name) != value:
                found.append("event %d is about something else" % number)
        if {**told, "details": want["details"]} != want or event["controller"] != controller:
            found.append("event %d is another one" % number)
    return found


def _of_consent(facts: Any) -> List[Any]:
    return [
        {
            "action": "governance.consent." + facts["decision"],
            "actor": facts["recorded_by"],
            "at": facts["recorded_at"],
            "details": {"facts": digest(facts)},
        }
    ]


def _of_decision(facts: Any) -> List[Any]:
    of_request = {"request": facts["request_id"]}
    of_mass_act = {"mass_act": facts["mass_act"]}
    return [
        {
            **act,
            "details": of_request
            if act["action"].startswith("governance.request.")
            else of_mass_act,
        }
        for act in facts["acts"]
    ]


def _of_lease(facts: Any) -> List[Any]:
    opening, closing = facts["opening"], facts["closing"]
    wanted = [("opened", opening["opened_at"], opening)]
    if closing is not None:
        wanted.append(("closed", closing["closed_at"], closing))
    return [
        {
            "action": "governance.lease." + step,
            "actor": opening["client_id"],
            "at": at,
            "details": {"facts": digest(part)},
        }
        for step, at, part in wanted
    ]


_WANTED = {CONSENT_TYPE: _of_consent, DECISION_TYPE: _of_decision}
