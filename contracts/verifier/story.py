"""Level 3: the events of the log tell of an erasure what its certificate tells.

Format: `docs/formats/bundle.md`. Nothing here trusts its input.
"""

from __future__ import annotations

from typing import Any, List, Optional

from contracts.verifier.opened import uuid_of

FILE_TYPE = "urn:lethe:events:v1"
#: The step of an erasure that an event tells of, the certificate's time of it, and whose it is.
_STEPS = (
    ("fenced", "fenced_at", "releaser"),
    ("drained", "drained_at", "eraser"),
    ("ordered", "ordered_at", "eraser"),
    ("keys_destroyed", "destroyed_at", "eraser"),
    ("swept", "swept_at", "eraser"),
    ("verified", "verified_at", "attester"),
)


def problems(certificate: Any, events: List[Any]) -> List[str]:
    """Where the events, all of them in the log, tell another story than the certificate."""
    erasure, controller = uuid_of(certificate["erasure_id"]), uuid_of(certificate["controller_id"])
    own = [event for event in events if event["erasure"] == erasure]
    found = []
    for step, time, role in _STEPS:
        event = _only(own, "vault.shredding." + step)
        if event is None:
            found.append("the events do not have one that the data was %s" % step)
        elif event["at"] != certificate[time] or event["actor"] != certificate["roles"][role]:
            found.append("that the data was %s is told otherwise" % step)
        elif event["controller"] != controller:
            found.append("an event is another controller's")
    return found + _decision_problems(certificate, own, events, controller)


def _decision_problems(
    certificate: Any, own: List[Any], events: List[Any], controller: str
) -> List[str]:
    """How it was drafted, approved and released, and that this led to the destruction."""
    released = _only(own, "governance.request.released")
    if released is None:
        return ["the events do not have one release"]
    decided_at, roles = certificate["decided_at"], certificate["roles"]
    approved = _last(_decided(released, events, "approved"))
    drafts = _decided(released, events, "drafted")
    drafted = _last([event for event in drafts if event["at"] <= decided_at])
    if not approved or not drafted:
        return ["the events have no draft or no approval"]
    found = []
    for those, role in ((drafted, "drafter"), (approved, "approver"), ([released], "releaser")):
        if any(event["actor"] != roles[role] for event in those):
            found.append("another was the %s than the certificate says" % role)
        if any(event["controller"] != controller for event in those):
            found.append("an event is another controller's")
    if any(event["at"] != decided_at for event in approved):
        found.append("it was decided at another time")
    if not decided_at <= released["at"] <= certificate["verified_at"]:
        found.append("the decisions and the destruction are not in this order")
    return found


def _decided(released: Any, events: List[Any], step: str) -> List[Any]:
    """The events of this step of the very decision that was released."""
    told = released["details"]
    kind = "mass_act" if "mass_act" in told else "request"
    what = {"mass_act": "governance.mass-act.", "request": "governance.request."}[kind]
    return [
        event
        for event in events
        if event["action"] == what + step
        and "request" in told
        and _same(event["details"].get(kind), told[kind])
    ]


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _only(events: List[Any], action: str) -> Optional[Any]:
    found = [event for event in events if event["action"] == action]
    return found[0] if len(found) == 1 else None


def _last(events: List[Any]) -> List[Any]:
    """The last by time; all of them, where several were at once."""
    latest = max((event["at"] for event in events), default=None)
    return [event for event in events if event["at"] == latest]
