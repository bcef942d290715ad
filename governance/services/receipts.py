"""Receipts: what was decided or read, signed, with what the log has of it.

Composed when they are asked for and kept nowhere: that of a consent holds the opening of its event,
which after an erasure nobody but its holder may have. Format: `docs/formats/receipt.md`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from contracts.verifier import schema_receipt
from core import audit, dsse, runtime, signing_keys
from core.actors import Actor
from core.canonical import instant
from core.errors import Conflict
from core.models import AuditEvent
from core.ports import Signer
from core.unit_of_work import no_open_transaction, unit_of_work
from governance.domain.law import ConsentDecision
from governance.models import ConsentRecord, Lease, SubjectRequest
from governance.services import consent, consent_status, facts, leases, log_parts, requests
from vault.errors import SubjectErased, SubjectNotFound
from vault.services import openings


class NothingDecided(Conflict):
    """Nobody has decided on the request yet."""

    code = "nothing-decided"
    text = "Nothing was decided on this request yet; there is nothing to give a receipt of."


@no_open_transaction
def of_consent(
    *, controller_id: UUID, consent_id: UUID, actor: Actor, now: datetime
) -> dict[str, Any]:
    """The receipt of a living person's decision, and on record that it was given out.

    Raises ConsentNotFound, also once the person is erased: the id of a decision leads to nobody
    then. And RestoreReplayRequired, CustodianUnavailable, KeyLost, CiphertextTampered, Unavailable
    (the signer).
    """
    try:
        row = consent.get(controller_id=controller_id, consent_id=consent_id)
        event = _event_of(row)
        opened = {} if event is None else {event: openings.open_event(event.id)}
    except SubjectErased:
        raise consent.ConsentNotFound from None
    log = log_parts.of_events(opened)
    status = _note(row, actor=actor, now=now)
    return _file(schema_receipt.CONSENT_TYPE, facts.of_consent(row), log, status, now=now)


def _note(row: ConsentRecord, *, actor: Actor, now: datetime) -> dict[str, Any] | None:
    """Put on record that it is given out; where its status is told, of a consent given."""
    try:
        with unit_of_work():
            audit.record(
                action="governance.receipt.issued",
                actor=actor,
                controller_id=row.controller_id,
                now=now,
                trail_id=row.trail_id,
                details={"consent": str(row.id)},
            )
            if row.decision != ConsentDecision.GIVEN:
                return None
            place = consent_status.place_of(row, now=now)
    except (SubjectErased, SubjectNotFound):
        raise consent.ConsentNotFound from None
    return {"list_id": place.list_id.hex(), "index": place.index}


def _event_of(row: ConsentRecord) -> AuditEvent | None:
    return AuditEvent.objects.filter(
        trail_id=row.trail_id,
        action=f"governance.consent.{row.decision}",
        details__consent=str(row.id),
    ).first()


@no_open_transaction
def of_request(*, controller_id: UUID, request_id: UUID, now: datetime) -> dict[str, Any]:
    """The record of the decisions on a request.

    Raises RequestNotFound, NothingDecided, Unavailable (the signer).
    """
    request = requests.get(controller_id=controller_id, request_id=request_id)
    events = decisions(request)
    if not events:
        raise NothingDecided
    log = log_parts.of_events(dict.fromkeys(events))
    return _file(schema_receipt.DECISION_TYPE, facts.of_request(request, events), log, now=now)


def decisions(request: SubjectRequest) -> list[AuditEvent]:
    """The events of the decisions on a request, in the order of their times."""
    named = [one.event_id for one in requests.decisions(request) if one.event_id is not None]
    return list(AuditEvent.objects.filter(id__any=named).order_by("occurred_at", "id"))


@no_open_transaction
def of_lease(*, lease: Lease, now: datetime) -> dict[str, Any]:
    """The manifest of a lease: what it lets be read, and once it is closed how much was.

    That its caller may see it is the caller's to check. Raises Unavailable (the signer).
    """
    told = {
        "opening": facts.of_opening(lease, version=leases.version_number(lease)),
        "closing": None if lease.closed_at is None else facts.of_closing(lease),
    }
    events = AuditEvent.objects.filter(id__any=lease.events).order_by("occurred_at", "id")
    log = log_parts.of_events(dict.fromkeys(events))
    return _file(schema_receipt.LEASE_TYPE, told, log, now=now)


def _file(
    kind: str,
    told: Mapping[str, Any],
    log: Mapping[str, Any] | None,
    status: Mapping[str, Any] | None = None,
    *,
    now: datetime,
) -> dict[str, Any]:
    signer: Signer = runtime.port("signer")
    keys = signer.verifying_keys()
    predicate = {
        "facts": dict(told),
        "signed_by": keys[-1].holder,
        "issued_at": instant(now),
        "software": {"name": "lethe", "version": settings.LETHE_VERSION},
        **({} if status is None else {"status": dict(status)}),
    }
    subjects: Sequence[tuple[str, str]] = [(schema_receipt.SUBJECTS[kind], facts.digest(told))]
    statement = dsse.statement(predicate_type=kind, subjects=subjects, predicate=predicate)
    envelope = dsse.envelope(statement, signer=signer)
    with unit_of_work():
        signing_keys.archive(keys, now=now)
    file = {
        "format": schema_receipt.FILE_TYPE,
        "envelope": envelope,
        "keys": signing_keys.published(),
    }
    return file if log is None else {**file, "log": dict(log)}
