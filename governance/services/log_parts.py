"""What the log has of a document of evidence: the event that named it, opened, and its proof."""

from typing import Any

from contracts.errors import LogBroken, NotLogged
from contracts.services import anchor_proofs, proofs
from core import audit, ids, metrics
from core.ids import PublicId
from core.logging import get_logger
from core.models import AuditEvent
from governance.models import Certificate

logger = get_logger(__name__)


def of_certificate(certificate: Certificate, *, sha256: str) -> dict[str, Any] | None:
    """The `log` member of a certificate file; None until the log has published the event.

    `sha256` is of the certificate's payload, in hex. None, and reported, when the log is broken.
    """
    row = _event(certificate, sha256)
    if row is None or row.r is None or row.leaf is None:
        return None
    try:
        proof = proofs.inclusion(leaf=bytes(row.leaf)).text()
        anchors = anchor_proofs.of_leaf(bytes(row.leaf))
    except NotLogged:
        return None
    except LogBroken as error:
        metrics.integrity_violated(code=error.code)
        logger.critical("log.no_proof", code=error.code)
        return None
    part = {"event": audit.payload(row), "r": bytes(row.r).hex(), "proof": proof}
    return {**part, "anchors": anchors} if anchors else part


def _event(certificate: Certificate, sha256: str) -> AuditEvent | None:
    """That of the certificate's issue; a replay of the erasure cannot have made another."""
    rows = AuditEvent.objects.filter(
        erasure_id=certificate.erasure_id,
        action="governance.certificate.issued",
        details__certificate=ids.format(PublicId.CERTIFICATE, certificate.id),
        details__sha256=sha256,
    )
    return rows.order_by("id").first()
