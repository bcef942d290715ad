"""A certificate in plain words."""

from __future__ import annotations

from typing import Any, List


def lines(predicate: Any) -> List[str]:
    """What a certificate states, for people."""
    shares = predicate["shares"]
    counted = tuple(
        sum(1 for share in shares if share["state"] == state)
        for state in ("destroyed", "absent", "lost")
    )
    read = sum(1 for node in predicate["nodes"] if node["state"] == "read")
    deleted, tags = predicate["deleted"], predicate["suppression"]
    said = [
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
        said.append("  kept: %s, on ground %s, until %s" % (kept["code"], kept["ground"], until))
    named = predicate["roles"]
    roles = sorted((name, holder) for name, holder in named.items() if name != "requesters")
    requesters = [("requester", holder) for holder in named.get("requesters", [])]
    return said + ["  %-9s %s" % role for role in requesters + roles]


def _scope_lines(scope: Any) -> List[str]:
    if scope["kind"] == "subject":
        return []
    if scope["kind"] == "groups":
        return ["  of one part only, key group " + ", ".join(scope["groups"])]
    lines = ["  of one part only, key group %s; why: %s" % (scope["group"], _listed(scope))]
    if scope["kind"] == "items":
        lines.append("  removed: %(records)d records in %(versions)d versions" % scope)
    return lines


def _inventory_lines(end: Any) -> List[str]:
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
