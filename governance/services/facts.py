"""The facts that receipts state, as the log commits to them by their digest.

Format: `docs/formats/receipt.md`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from core import canonical, ids
from core.canonical import instant
from core.ids import PublicId
from core.models import AuditEvent
from governance.models import ConsentRecord, Lease, SubjectRequest


def digest(facts: Mapping[str, Any]) -> str:
    """What an event names facts by: SHA-256 of their canonical form, in hex."""
    return hashlib.sha256(canonical.encode(dict(facts))).hexdigest()


def of_consent(row: ConsentRecord) -> dict[str, Any]:
    """One decision about a purpose; nobody is named."""
    return {
        "consent_id": ids.format(PublicId.CONSENT, row.id),
        "controller_id": ids.format(PublicId.CONTROLLER, row.controller_id),
        "purpose_id": ids.format(PublicId.PURPOSE, row.purpose_id),
        "purpose_version": row.purpose_version.number,
        "decision": str(row.decision),
        "is_explicit": row.is_explicit,
        "text_digest": row.text_digest or None,
        "language": row.language or None,
        "channel": str(row.channel),
        "decided_at": instant(row.decided_at),
        "recorded_at": instant(row.recorded_at),
        "recorded_by": row.recorded_by,
    }


def of_request(request: SubjectRequest, events: Sequence[AuditEvent]) -> dict[str, Any]:
    """A request and the decisions on it, as `events` tell of them, in order."""
    mass_act = request.mass_act_id
    return {
        "request_id": ids.format(PublicId.REQUEST, request.id),
        "erasure_id": ids.format(PublicId.ERASURE, request.erasure_id),
        "controller_id": ids.format(PublicId.CONTROLLER, request.controller_id),
        "mass_act": None if mass_act is None else ids.format(PublicId.MASS_ACT, mass_act),
        "kind": str(request.kind),
        "ground": str(request.ground),
        "received_at": instant(request.received_at),
        "due_on": request.due_on.isoformat(),
        "state": str(request.state),
        "acts": [
            {
                "action": event.action,
                "actor": event.actor_id,
                "role": event.actor_role,
                "at": instant(event.occurred_at),
            }
            for event in events
        ],
    }


def of_opening(lease: Lease, *, version: int) -> dict[str, Any]:
    """What a lease lets its client read; `version` is the number of the purpose's."""
    return {
        "lease_id": ids.format(PublicId.LEASE, lease.id),
        "controller_id": ids.format(PublicId.CONTROLLER, lease.controller_id),
        "purpose_id": ids.format(PublicId.PURPOSE, lease.purpose_id),
        "purpose_version": version,
        "client_id": ids.format(PublicId.CLIENT, lease.client_id),
        "fields": [
            {"category": ids.format(PublicId.CATEGORY, UUID(id_)), "names": list(names)}
            for id_, names in sorted(lease.fields.items())
        ],
        "subjects": lease.counts["subjects"],
        "exclusions": dict(lease.counts["exclusions"]),
        "opened_at": instant(lease.opened_at),
        "expires_at": instant(lease.expires_at),
    }


def of_closing(lease: Lease) -> dict[str, Any]:
    """What was read by the end of a lease that its holder closed. Raises ValueError for others."""
    if lease.closed_at is None:
        raise ValueError("the lease was not closed")
    return {
        "lease_id": ids.format(PublicId.LEASE, lease.id),
        "closed_at": instant(lease.closed_at),
        "records_sent": lease.records_sent,
        "bytes_sent": lease.bytes_sent,
    }
