"""Certificates of erasure, signed by the attester's process: interim first, final in its time.

The interim one follows the destruction; the final one is issued once no backup can hold the keys
any more, and names the interim one.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F

from contracts.verifier import documents as verifier
from contracts.verifier.report import VALID
from contracts.verifier.schema import FILE_TYPE
from core import audit, dsse, failpoints, ids, runtime, signing_keys
from core.actors import process_actor
from core.errors import Conflict, NotFound
from core.ids import PublicId
from core.ports import Signer, VerifyingKey
from core.unit_of_work import no_open_transaction, unit_of_work
from governance.models import Certificate, SubjectRequest
from governance.services import log_parts, part_certificates
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
    issue_many(erasure_ids=[erasure_id], now=now)
    issued = _issued(erasure_id, INTERIM)
    if issued is None:
        raise NotAttested if not _attestations([erasure_id]) else EvidenceMissing
    return issued


@no_open_transaction
def issue_many(*, erasure_ids: Sequence[UUID], now: datetime) -> set[UUID]:
    """As `issue` for each; returns those that have their interim certificate now.

    One that is not attested, or whose evidence is missing, stops no other.
    """
    known = BackupInventory.objects.exists()
    reason = Doubt.NOT_SINCE if known else Doubt.MISSING  # nobody can have looked since
    end = {"state": "pending", "reason": reason.value}
    issued = _issued_of(erasure_ids, INTERIM)
    attestations = _attestations([id_ for id_ in erasure_ids if id_ not in issued])
    if not attestations:
        return issued
    signer: Signer = runtime.port("signer")
    keys = signer.verifying_keys()
    signed = []
    for attestation, request in attestations:
        with suppress(EvidenceMissing):
            sources = Sources(attestation, request, end)
            signed.append(_signed(sources, INTERIM, signer, holder=keys[-1].holder, now=now))
    failpoints.reach("governance.certificate.signed")
    _store(signed, keys, now=now)
    return issued | {certificate.erasure_id for certificate in signed}


def _attestations(
    erasure_ids: Sequence[UUID],
) -> list[tuple[DestructionAttestation, SubjectRequest | None]]:
    """Attested erasures with the request that a whole person's erasure has."""
    found = list(DestructionAttestation.objects.filter(erasure_id__any=erasure_ids))
    whole = [one.erasure_id for one in found if not part_certificates.is_part(one.body)]
    rows = SubjectRequest.objects.filter(erasure_id__any=whole)
    requests = {row.erasure_id: row for row in rows}
    return [
        (one, requests.get(one.erasure_id))
        for one in sorted(found, key=lambda one: one.at)
        if one.erasure_id in requests or one.erasure_id not in whole
    ]


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
    known = {**interim.document, "keys": signing_keys.published()}
    if verifier.examine(json.dumps(known).encode(), None).verdict != VALID:
        raise EvidenceMissing
    named = {
        "certificate_id": ids.format(PublicId.CERTIFICATE, interim.id),
        "sha256": hashlib.sha256(_payload(interim)).hexdigest(),
    }
    end = {"state": "established", **clearance.inventory}
    ((attestation, request),) = _attestations([erasure_id])
    signer: Signer = runtime.port("signer")
    keys = signer.verifying_keys()
    sources = Sources(attestation, request, end, named)
    certificate = _signed(sources, FINAL, signer, holder=keys[-1].holder, now=now)
    failpoints.reach("governance.certificate.signed")
    _store([certificate], keys, now=now)
    return _issued(erasure_id, FINAL) or certificate


def _signed(
    sources: Sources, kind: Certificate.Kind, signer: Signer, *, holder: str, now: datetime
) -> Certificate:
    """A certificate that is not stored yet. Raises EvidenceMissing, Unavailable."""
    certificate = Certificate(
        id=ids.new_time_ordered(),
        controller_id=sources.attestation.controller_id,
        erasure_id=sources.attestation.erasure_id,
        kind=kind,
        issued_at=now,
    )
    statement = compose(certificate, sources, holder=holder)
    envelope = dsse.envelope(statement, signer=signer)
    certificate.document = {"format": FILE_TYPE, "envelope": envelope}
    return certificate


def _issued(erasure_id: UUID, kind: str) -> Certificate | None:
    return Certificate.objects.filter(erasure_id=erasure_id, kind=kind).first()


def _issued_of(erasure_ids: Sequence[UUID], kind: str) -> set[UUID]:
    rows = Certificate.objects.filter(erasure_id__any=erasure_ids, kind=kind)
    return set(rows.values_list("erasure_id", flat=True))


def _store(
    certificates: Sequence[Certificate], keys: Sequence[VerifyingKey], *, now: datetime
) -> None:
    """Keep them, archive the keys they can be checked with, move the requests on.

    One that another process stored first is left as that one has it. All are of one kind.
    """
    erasure_ids = [certificate.erasure_id for certificate in certificates]
    if not certificates:
        return
    with unit_of_work():
        requests = SubjectRequest.objects.filter(erasure_id__any=erasure_ids)
        list(requests.select_for_update().order_by("id").values_list("id", flat=True))
        earlier = _issued_of(erasure_ids, certificates[0].kind)
        fresh = [one for one in certificates if one.erasure_id not in earlier]
        signing_keys.archive(keys, now=now)
        Certificate.objects.bulk_create(fresh)
        if fresh and fresh[0].kind == INTERIM:
            requests.filter(erasure_id__any=[one.erasure_id for one in fresh]).update(
                state=SubjectRequest.State.CERTIFIED, version=F("version") + 1
            )
        audit.record_many(
            [
                audit.Event(
                    action="governance.certificate.issued",
                    actor=process_actor(keys[-1].holder),
                    controller_id=one.controller_id,
                    now=now,
                    erasure_id=one.erasure_id,
                    details={
                        "certificate": ids.format(PublicId.CERTIFICATE, one.id),
                        "kind": one.kind,
                        "sha256": hashlib.sha256(_payload(one)).hexdigest(),
                    },
                )
                for one in fresh
            ]
        )


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
    """The certificate as handed out, with a copy of the published keys for convenience.

    Once the log has published its issue, with the proof of that.
    """
    sha256 = hashlib.sha256(_payload(certificate)).hexdigest()
    part = log_parts.of_certificate(certificate, sha256=sha256)
    document = {**certificate.document, "keys": signing_keys.published()}
    return document if part is None else {**document, "log": part}


def stated(certificate: Certificate) -> dict[str, Any]:
    """What it says: its predicate."""
    predicate: dict[str, Any] = json.loads(_payload(certificate))["predicate"]
    return predicate


def _payload(certificate: Certificate) -> bytes:
    return base64.b64decode(certificate.document["envelope"]["payload"])
