"""What a certificate says when a part of a person's data ended and the person lives on."""

from collections.abc import Mapping
from typing import Any, Final

from contracts.verifier.schema import PART_EFFECT_TEXTS
from core.actors import process_actor
from vault.domain.states import Scope

ERASER: Final = process_actor("eraser")
#: Why, in law, by reason; of several the first counts.
_GROUNDS: Final = {
    "erasure": "art17-1",
    "rectification": "art16",
    "leak": "art32-1",
    "expiry": "art5-1-e",
}


def is_part(body: Mapping[str, Any]) -> bool:
    """Whether an attestation is about less than a whole person."""
    return body.get("scope", Scope.SUBJECT) in (Scope.GROUP, Scope.REKEY)


def terms(body: Mapping[str, Any], *, worst: str, holder: str) -> dict[str, Any]:
    """The members of the predicate in which a part differs from the whole.

    A destruction that a replay has repeated knows neither who asked nor why; it is told by the day
    of its fence.
    """
    request = body["request"] or {"requested_at": body["fenced_at"]}
    reasons = request.get("reasons", ["expiry" if body["scope"] == Scope.GROUP else "leak"])
    scope = _scope(body, reasons, request)
    counted = {"records": request.get("versions", 0), "grants": 0, "tags": 0, "openings": 0}
    if scope["kind"] == "groups":
        counted = {kind: body["counts"].get(kind, 0) for kind in counted}
    return {
        "legal_ground": next(ground for why, ground in _GROUNDS.items() if why in reasons),
        "scope": scope,
        "effect": PART_EFFECT_TEXTS[scope["kind"]][worst],
        "requested_at": request["requested_at"],
        "decided_at": request["requested_at"],
        "deleted": counted,
        "roles": {
            "requesters": request.get("requesters", []),
            "eraser": ERASER.id,
            "attester": process_actor(holder).id,
        },
    }


def _scope(
    body: Mapping[str, Any], reasons: list[str], request: Mapping[str, Any]
) -> dict[str, Any]:
    if body["scope"] == Scope.GROUP:
        return {"kind": "groups", "groups": [body["group"]]}
    named = {"group": body["group"], "reasons": reasons}
    if not request.get("versions"):
        return {"kind": "rekey", **named}
    records = max(1, request["records"])  # a replay knows the rows, not how many records they were
    return {"kind": "items", **named, "records": records, "versions": request["versions"]}
