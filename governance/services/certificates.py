"""Certificates of erasure, signed by the attester's process: interim first, final in its time.

The interim one follows the destruction; the final one is issued once no backup can hold the keys
any more, and names the interim one.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.verifier import certificate as verifier
from contracts.verifier.schema import FILE_TYPE
from core import audit, dsse, failpoints, ids, runtime
from core.actors import process_actor
from core.errors import Conflict, IntegrityViolation, NotFound
from core.ids import PublicId
from core.models import SigningKey
from core.ports import Signer, VerifyingKey
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from governance.models import Certificate, SubjectRequest
from governance.services import part_certificates
from governance.services.certificate_statements import EvidenceMissing, Sources, compose
from vault.domain.backups import Doubt
from vault.models import BackupClearance, BackupInventory, DestructionAttestation

INTERIM, FINAL = Certificate.Kind.INTERIM, Certificate.Kind.FINAL


class CertificateNotFound(NotFound):
    """No such certificate, or another controller's."""

    code = "certificate-not-found"
    text = "There is no certificate of yours with this id."


class NotAttested(Conflict):
    """The destruction has not been read back yet."""

    code = "not-attested"
    text = "The destruction has not been verified yet."


class SigningKeyChanged(IntegrityViolation):
    """A key id that is archived came back with another key."""

    code = "signing-key-changed"
    text = "A signing key differs from the one published under its name."


class NotCleared(Conflict):
    """Backups may still hold the keys, or there is no interim certificate to follow."""

    code = "not-cleared"
    text = "The erasure is not clear of backups yet, or has no interim certificate."


@no_open_transaction
def issue(*, erasure_id: UUID, now: datetime) -> Certificate:
    """Compose, sign and store the interim certificate; a second call returns the first's.

    Runs in the attester's process, whose key signs. Raises NotAttested, EvidenceMissing,
    SigningKeyChanged, Unavailable (the signer; repeat).
    """
    issued = _issued(erasure_id, INTERIM)
    if issued is not None:
        return issued
    known = BackupInventory.objects.exists()
    reason = Doubt.NOT_SINCE if known else Doubt.MISSING  # nobody can have looked since
    return _issue(erasure_id, INTERIM, end={"state": "pending", "reason": reason.value}, now=now)


@no_open_transaction
def issue_final(*, erasure_id: UUID, now: datetime) -> Certificate:
    """As `issue`, the final certificate of an erasure that is clear of backups.

    Raises NotCleared, and EvidenceMissing when the interim certificate is not as it was signed.
    """
    issued = _issued(erasure_id, FINAL)
    if issued is not None:
        return issued
    clearance = BackupClearance.objects.filter(erasure_id=erasure_id).first()
    interim = _issued(erasure_id, INTERIM)
    if clearance is None or interim is None:
        raise NotCleared
    if verifier.examine(json.dumps(file(interim)).encode(), None).verdict != verifier.VALID:
        raise EvidenceMissing
    payload = base64.b64decode(interim.document["envelope"]["payload"])
    named = {
        "certificate_id": ids.format(PublicId.CERTIFICATE, interim.id),
        "sha256": hashlib.sha256(payload).hexdigest(),
    }
    end = {"state": "established", **clearance.inventory}
    return _issue(erasure_id, FINAL, end=end, interim=named, now=now)


def _issue(
    erasure_id: UUID,
    kind: Certificate.Kind,
    *,
    end: Mapping[str, Any],
    interim: Mapping[str, Any] | None = None,
    now: datetime,
) -> Certificate:
    attestation = DestructionAttestation.objects.filter(erasure_id=erasure_id).first()
    if attestation is None:
        raise NotAttested
    is_part = part_certificates.is_part(attestation.body)
    request = None if is_part else SubjectRequest.objects.get(erasure_id=erasure_id)
    signer: Signer = runtime.port("signer")
    certificate = Certificate(
        id=ids.new_time_ordered(),
        controller_id=attestation.controller_id,
        erasure_id=erasure_id,
        kind=kind,
        issued_at=now,
    )
    keys = signer.verifying_keys()
    sources = Sources(attestation, request, end, interim)
    statement = compose(certificate, sources, holder=keys[-1].holder)
    certificate.document = {
        "format": FILE_TYPE,
        "envelope": dsse.envelope(statement, signer=signer),
    }
    failpoints.reach("governance.certificate.signed")
    return _store(certificate, request, keys, now=now)


def _issued(erasure_id: UUID, kind: str) -> Certificate | None:
    return Certificate.objects.filter(erasure_id=erasure_id, kind=kind).first()


def _store(
    certificate: Certificate,
    request: SubjectRequest | None,
    keys: Sequence[VerifyingKey],
    *,
    now: datetime,
) -> Certificate:
    """Keep the certificate, archive the keys it can be checked with, move the request on."""
    with unit_of_work():
        locked = request and SubjectRequest.objects.select_for_update().get(id=request.id)
        earlier = _issued(certificate.erasure_id, certificate.kind)
        if earlier is not None:
            return earlier
        _archive(keys, now=now)
        certificate.save(force_insert=True)
        if locked is not None and certificate.kind == INTERIM:
            locked.state, locked.version = SubjectRequest.State.CERTIFIED, locked.version + 1
            locked.save(update_fields=["state", "version"])
        audit.record(
            action="governance.certificate.issued",
            actor=process_actor(keys[-1].holder),
            controller_id=certificate.controller_id,
            now=now,
            erasure_id=certificate.erasure_id,
            details={
                "certificate": ids.format(PublicId.CERTIFICATE, certificate.id),
                "kind": certificate.kind,
            },
        )
    return certificate


@requires_unit_of_work
def _archive(keys: Sequence[VerifyingKey], *, now: datetime) -> None:
    """Keep public keys for ever, so that what they signed stays checkable."""
    SigningKey.objects.bulk_create(
        (
            SigningKey(key_id=key.key_id, holder=key.holder, public=key.public, first_seen_at=now)
            for key in keys
        ),
        ignore_conflicts=True,
    )
    archived = SigningKey.objects.in_bulk([key.key_id for key in keys])
    if any(bytes(archived[key.key_id].public) != key.public for key in keys):
        raise SigningKeyChanged


def get(*, controller_id: UUID, certificate_id: UUID) -> Certificate:
    """The certificate. Raises CertificateNotFound, also when not yours."""
    found = Certificate.objects.filter(id=certificate_id, controller_id=controller_id).first()
    if found is None:
        raise CertificateNotFound
    return found


def of_erasure(*, controller_id: UUID, erasure_id: UUID) -> list[Certificate]:
    """The erasure's certificates, oldest first; empty until the destruction was verified."""
    rows = Certificate.objects.filter(controller_id=controller_id, erasure_id=erasure_id)
    return list(rows.order_by("id"))


def file(certificate: Certificate) -> dict[str, Any]:
    """The certificate as handed out, with a copy of the published keys for convenience."""
    return {**certificate.document, "keys": published_keys()}


def published_keys() -> dict[str, Any]:
    """The document at /.well-known/lethe-keys: every key that ever signed, oldest first."""
    rows = SigningKey.objects.order_by("first_seen_at", "key_id")
    return dsse.keys_document(
        [
            (VerifyingKey(row.key_id, row.holder, bytes(row.public)), row.first_seen_at, None)
            for row in rows
        ]
    )
