"""Certificates of erasure: composed from the attestation, signed by the attester's process.

The format is `docs/formats/certificate.md`. Only the interim certificate is issued so far: the
final one needs the inventory of backups.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Max

from contracts.verifier.schema import (
    CERTIFICATE_TYPE,
    EFFECT_TEXTS,
    FILE_TYPE,
    SHARE_STATES,
    SHARE_TEXTS,
)
from core import audit, dsse, failpoints, ids, runtime
from core.actors import process_actor
from core.canonical import instant
from core.errors import Conflict, IntegrityViolation, NotFound
from core.ids import PublicId
from core.models import SigningKey
from core.ports import Signer, VerifyingKey
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from governance.models import Certificate, Decision, SubjectRequest
from governance.services import part_certificates
from governance.services.part_certificates import ERASER
from vault.models import DestructionAttestation, SuppressionTag
from vault.services import losing

#: The counts of a sweep that a certificate states.
_DELETED = ("records", "grants", "tags", "openings")
_TIMES = (
    "fenced_at",
    "drained_at",
    "ordered_at",
    "destroyed_at",
    "swept_at",
    "verified_at",
)


class CertificateNotFound(NotFound):
    """No such certificate, or another controller's."""

    code = "certificate-not-found"
    text = "There is no certificate of yours with this id."


class NotAttested(Conflict):
    """The destruction has not been read back yet."""

    code = "not-attested"
    text = "The destruction has not been verified yet."


class EvidenceMissing(IntegrityViolation):
    """An attested erasure lacks a decision or reads a share as live."""

    code = "evidence-missing"
    text = "The evidence of an erasure is not complete; no certificate was issued."


class SigningKeyChanged(IntegrityViolation):
    """A key id that is archived came back with another key."""

    code = "signing-key-changed"
    text = "A signing key differs from the one published under its name."


@no_open_transaction
def issue(*, erasure_id: UUID, now: datetime) -> Certificate:
    """Compose, sign and store the interim certificate; a second call returns the first's.

    Runs in the attester's process, whose key signs. Raises NotAttested, EvidenceMissing,
    SigningKeyChanged, Unavailable (the signer; repeat).
    """
    issued = _issued(erasure_id)
    if issued is not None:
        return issued
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
        kind=Certificate.Kind.INTERIM,
        issued_at=now,
    )
    keys = signer.verifying_keys()
    statement = _statement(certificate, request, attestation, holder=keys[-1].holder)
    certificate.document = {
        "format": FILE_TYPE,
        "envelope": dsse.envelope(statement, signer=signer),
    }
    failpoints.reach("governance.certificate.signed")
    return _store(certificate, request, keys, now=now)


def _issued(erasure_id: UUID) -> Certificate | None:
    return Certificate.objects.filter(erasure_id=erasure_id, kind=Certificate.Kind.INTERIM).first()


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
        earlier = _issued(certificate.erasure_id)
        if earlier is not None:
            return earlier
        _archive(keys, now=now)
        certificate.save(force_insert=True)
        if locked is not None:
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


def _statement(
    certificate: Certificate,
    request: SubjectRequest | None,
    attestation: DestructionAttestation,
    *,
    holder: str,
) -> dict[str, Any]:
    body: Mapping[str, Any] = attestation.body
    lost = losing.digests(erasure_id=attestation.erasure_id)
    shares = _shares(body["shares"], lost)
    worst = max((share["state"] for share in shares), key=SHARE_STATES.index)
    if request is None:
        terms = part_certificates.terms(body, worst=worst, holder=holder)
    else:
        terms = _terms(request, body, worst=worst, holder=holder)
    predicate = {
        "certificate_id": ids.format(PublicId.CERTIFICATE, certificate.id),
        "erasure_id": ids.format(PublicId.ERASURE, attestation.erasure_id),
        "controller_id": ids.format(PublicId.CONTROLLER, attestation.controller_id),
        "kind": certificate.kind,
        "method": {"custodian": settings.LETHE_KEY_STORE, "share_bits": 256},
        **terms,
        **{name: body[name] for name in _TIMES},
        "issued_at": instant(certificate.issued_at),
        "nodes": [{"node": node, "state": "read"} for node in body["nodes"]],
        "shares": shares,
        "leases_open_at_fence": body["open_leases"],
        "kept": [],
        "suppression": _suppression(attestation.erasure_id),
        "signed_by": holder,
        "irrecoverable_from": {"state": "pending", "reason": "backup-inventory-missing"},
        "journal": body["journal"],
        "software": {"name": "lethe", "version": settings.LETHE_VERSION},
    }
    subjects = [
        (f"key-share/{number}", share["share"]) for number, share in enumerate(shares, start=1)
    ]
    return dsse.statement(predicate_type=CERTIFICATE_TYPE, subjects=subjects, predicate=predicate)


def _terms(
    request: SubjectRequest, body: Mapping[str, Any], *, worst: str, holder: str
) -> dict[str, Any]:
    """The members of the predicate that only the erasure of a whole person has."""
    acts = _acts(request)
    return {
        "legal_ground": request.ground,
        "scope": {"kind": "subject"},
        "effect": EFFECT_TEXTS[worst],
        "requested_at": instant(request.received_at),
        "decided_at": instant(acts[Decision.Act.APPROVAL].at),
        "deleted": {kind: body["counts"].get(kind, 0) for kind in _DELETED},
        "roles": {
            "drafter": acts[Decision.Act.DRAFT].actor_id,
            "approver": acts[Decision.Act.APPROVAL].actor_id,
            "releaser": acts[Decision.Act.RELEASE].actor_id,
            "eraser": ERASER.id,
            "attester": process_actor(holder).id,
        },
    }


def _acts(request: SubjectRequest) -> dict[str, Decision]:
    """The last draft, approval and release: those that led to the destruction."""
    acts = {decision.act: decision for decision in request.decisions.order_by("at", "id")}
    if not {Decision.Act.DRAFT, Decision.Act.APPROVAL, Decision.Act.RELEASE} <= acts.keys():
        raise EvidenceMissing
    return acts


def _shares(readings: Sequence[Mapping[str, Any]], lost: Collection[str]) -> list[dict[str, Any]]:
    """What all nodes together say of each share, in the order of the shares' digests.

    `lost` are those that the key store was found to lack before.
    """
    by_share: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for reading in readings:
        by_share[reading["share"]].append(reading)
    return [_share(digest, by_share[digest], lost) for digest in sorted(by_share)]


def _share(
    digest: str, readings: Sequence[Mapping[str, Any]], lost: Collection[str]
) -> dict[str, Any]:
    """Destroyed only where every node reads destroyed; a live reading stops everything."""
    states = {reading["state"] for reading in readings}
    if not states <= {"destroyed", "absent"}:
        raise EvidenceMissing
    if states == {"destroyed"}:
        times = [reading["destroyed_at"] for reading in readings if reading["destroyed_at"]]
        return {
            "share": digest,
            "state": "destroyed",
            "wording": SHARE_TEXTS["destroyed"],
            "versions": max(reading["versions"] for reading in readings),
            "destroyed_at": max(times, default=None),
        }
    state = "lost" if digest in lost else "absent"
    return {
        "share": digest,
        "state": state,
        "wording": SHARE_TEXTS[state],
        "versions": 0,
        "destroyed_at": None,
    }


def _suppression(erasure_id: UUID) -> dict[str, Any]:
    tags = SuppressionTag.objects.filter(erasure_id=erasure_id)
    latest = tags.aggregate(latest=Max("expires_at"))["latest"]
    return {
        "tags_kept": tags.count(),
        "until": "source-acknowledges",
        "at_the_latest": None if latest is None else instant(latest),
    }


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
