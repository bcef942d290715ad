"""Governance's part in an erasure: cut what leads to the person, then ask for the certificate."""

from uuid import UUID

from django.db.models import F

from core import effects
from core.unit_of_work import requires_unit_of_work
from governance.models import Disclosure, Lease, SubjectRequest
from vault.models import DestructionAttestation


class Governance:
    """Implements `vault.ports.SubjectParticipant`; every step may be repeated."""

    @requires_unit_of_work
    def swept(self, *, erasure_id: UUID, subject_id: UUID, trail_id: UUID) -> None:
        """Take the subject's id off its requests and turn its disclosures into counters.

        A request that is still open beside this erasure has nobody left to serve: it ends here.
        Consent records stay: they name the trail only, and vault cuts what the trail maps to.
        """
        of_subject = SubjectRequest.objects.filter(subject_id=subject_id)
        others = of_subject.exclude(erasure_id=erasure_id)
        others.exclude(state__in=SubjectRequest.CLOSED).update(
            state=SubjectRequest.State.WITHDRAWN, version=F("version") + 1
        )
        of_subject.update(subject_id=None)
        rows = Disclosure.objects.filter(trail_id=trail_id)
        read_by = sorted(set(rows.values_list("lease_id", flat=True)))
        list(Lease.objects.select_for_update().filter(id__in=read_by).order_by("id"))
        Lease.objects.filter(id__in=read_by).update(subjects_erased=F("subjects_erased") + 1)
        rows.delete()

    @requires_unit_of_work
    def attested(self, *, erasure_id: UUID) -> None:
        """Note that the keys are gone and ask for the certificate.

        Without a request there is nobody to certify to, as in a restore's replay.
        """
        request = SubjectRequest.objects.select_for_update().filter(erasure_id=erasure_id).first()
        if request is None:
            return
        if request.state == SubjectRequest.State.EXECUTING:
            request.state = SubjectRequest.State.DESTROYED_LIVE
            request.version += 1
            request.save(update_fields=["state", "version"])
        attestation = DestructionAttestation.objects.get(erasure_id=erasure_id)
        effects.enqueue(
            kind="governance.certify",
            key=str(erasure_id),
            payload={"erasure_id": str(erasure_id)},
            now=attestation.at,
        )


def participant() -> Governance:
    """Factory for `settings.LETHE_PORTS`."""
    return Governance()
