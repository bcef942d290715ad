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
    approved = _last(_decided(released, events, "approved"))
    if approved is None:
        return ["the events have no approval"]
    before = [e for e in _decided(released, events, "drafted") if e["at"] <= approved["at"]]
    drafted = _last(before)
    if drafted is None:
        return ["the events have no draft"]
    roles = certificate["roles"]
    actors = (drafted["actor"], approved["actor"], released["actor"])
    found = []
    if actors != (roles["drafter"], roles["approver"], roles["releaser"]):
        found.append("others drafted, approved or released than the certificate says")
    if approved["at"] != certificate["decided_at"]:
        found.append("it was decided at another time")
    if not approved["at"] <= released["at"] <= certificate["verified_at"]:
        found.append("the decisions and the destruction are not in this order")
    if any(one["controller"] != controller for one in (drafted, approved, released)):
        found.append("an event is another controller's")
    return found


def _decided(released: Any, events: List[Any], step: str) -> List[Any]:
    """The events of this step of the very decision that was released."""
    kind = "mass_act" if "mass_act" in released["details"] else "request"
    what = {"mass_act": "governance.mass-act.", "request": "governance.request."}[kind]
    named = released["details"].get(kind)
    return [
        event
        for event in events
        if event["action"] == what + step and named and event["details"].get(kind) == named
    ]


def _only(events: List[Any], action: str) -> Optional[Any]:
    found = [event for event in events if event["action"] == action]
    return found[0] if len(found) == 1 else None


def _last(events: List[Any]) -> Optional[Any]:
    return max(events, key=lambda event: str(event["at"]), default=None)
