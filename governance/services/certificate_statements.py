"""What a certificate states: composed from the attestation, and from the inventory of backups.

The format is `docs/formats/certificate.md`.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Max

from contracts.verifier.schema import CERTIFICATE_TYPE, EFFECT_TEXTS, SHARE_STATES, SHARE_TEXTS
from core import dsse, ids
from core.actors import process_actor
from core.canonical import instant
from core.errors import IntegrityViolation
from core.ids import PublicId
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


class EvidenceMissing(IntegrityViolation):
    """An attested erasure lacks a decision or reads a share as live."""

    code = "evidence-missing"
    text = "The evidence of an erasure is not complete; no certificate was issued."


@dataclass(frozen=True, slots=True)
class Sources:
    """What a certificate is composed from.

    `end` is its `irrecoverable_from`; `interim`, of a final one, names the certificate before it.
    """

    attestation: DestructionAttestation
    request: SubjectRequest | None
    end: Mapping[str, Any]
    interim: Mapping[str, Any] | None = None


def compose(certificate: Certificate, sources: Sources, *, holder: str) -> dict[str, Any]:
    """The statement to sign. Raises EvidenceMissing."""
    attestation, request = sources.attestation, sources.request
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
        "irrecoverable_from": dict(sources.end),
        **({} if sources.interim is None else {"interim": dict(sources.interim)}),
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
