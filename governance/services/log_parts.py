"""What the log has of a document of evidence: its events, opened, and their proofs."""

from collections.abc import Mapping
from typing import Any

from contracts.errors import LogBroken, NotLogged
from contracts.services import anchor_proofs, proofs, stamp_proofs
from core import audit, ids, metrics
from core.commitment import Commitment
from core.ids import PublicId
from core.logging import get_logger
from core.models import AuditEvent
from governance.models import Certificate

logger = get_logger(__name__)


def of_certificate(certificate: Certificate, *, sha256: str) -> dict[str, Any] | None:
    """The `log` member of a certificate file; None until the log has published the event.

    `sha256` is of the certificate's payload, in hex. None, and reported, when the log is broken.
    """
    row = _issue(certificate, sha256)
    return None if row is None else of_event(row)


def of_event(row: AuditEvent, opening: Commitment | None = None) -> dict[str, Any] | None:
    """One event, opened, with its proof and anchors; None as in `of_certificate`.

    `opening` of an event about a person, whose row has none.
    """
    if opening is None:
        if row.r is None or row.leaf is None:
            return None
        opening = Commitment(r=bytes(row.r), leaf=bytes(row.leaf))
    try:
        proof = proofs.inclusion(leaf=opening.leaf).text()
        anchors = anchor_proofs.of_leaf(opening.leaf)
        stamp = stamp_proofs.of_leaf(opening.leaf)
    except NotLogged:
        return None
    except LogBroken as error:
        metrics.integrity_violated(code=error.code)
        logger.critical("log.no_proof", code=error.code)
        return None
    return {
        "event": audit.payload(row),
        "r": opening.r.hex(),
        "proof": proof,
        **({"anchors": anchors} if anchors else {}),
        **({} if stamp is None else {"stamp": stamp}),
    }


def of_events(
    opened: Mapping[AuditEvent, Commitment | None],
) -> dict[str, Any] | None:
    """The `log` member of a receipt; None until the log has published all of them."""
    entries = [of_event(row, opening) for row, opening in opened.items()]
    found = [entry for entry in entries if entry is not None]
    return {"entries": found} if found and len(found) == len(entries) else None


def _issue(certificate: Certificate, sha256: str) -> AuditEvent | None:
    """The event of its issue; a replay of the erasure cannot have made another."""
    rows = AuditEvent.objects.filter(
        erasure_id=certificate.erasure_id,
        action="governance.certificate.issued",
        details__certificate=ids.format(PublicId.CERTIFICATE, certificate.id),
        details__sha256=sha256,
    )
    return rows.order_by("id").first()
