"""Governance's part in an erasure: cut what leads to the person, then ask for the certificate."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import F

from core import effect_batches
from core.unit_of_work import requires_unit_of_work
from governance.models import Disclosure, Lease, SubjectRequest
from governance.services import consent_records, consent_status, part_certificates
from vault.models import DestructionAttestation
from vault.ports import Revoked, Swept


class Governance:
    """Implements `vault.ports.SubjectParticipant`; every step may be repeated."""

    @requires_unit_of_work
    def swept(self, *, erasures: Sequence[Swept]) -> None:
        """Take the subjects' ids off their requests and turn their disclosures into counters.

        A request that is still open beside an erasure has nobody left to serve: it ends here.
        Consent records stay: they name the trail only, and vault cuts what the trail maps to.
        """
        of_subjects = SubjectRequest.objects.filter(
            subject_id__any=[one.subject_id for one in erasures]
        )
        others = of_subjects.exclude(erasure_id__any=[one.erasure_id for one in erasures])
        others.exclude(state__in=SubjectRequest.CLOSED).update(
            state=SubjectRequest.State.WITHDRAWN, version=F("version") + 1
        )
        of_subjects.update(subject_id=None)
        trails = [one.trail_id for one in erasures if one.trail_id is not None]
        consent_status.forget(trails)
        rows = Disclosure.objects.filter(trail_id__any=trails)
        read_by = Counter(
            lease_id for lease_id, _ in rows.values_list("lease_id", "trail_id").distinct()
        )
        list(Lease.objects.select_for_update().filter(id__in=read_by).order_by("id"))
        for lease_id, count in read_by.items():
            Lease.objects.filter(id=lease_id).update(subjects_erased=F("subjects_erased") + count)
        rows.delete()

    @requires_unit_of_work
    def attested(self, *, erasure_ids: Sequence[UUID]) -> None:
        """Note that the keys are gone and ask for the certificates.

        Without a request there is nobody to certify a whole person's erasure to, as in a
        restore's replay; the end of a part is certified in any case.
        """
        requests = SubjectRequest.objects.select_for_update().filter(erasure_id__any=erasure_ids)
        requested = set(requests.order_by("id").values_list("erasure_id", flat=True))
        attestations = list(DestructionAttestation.objects.filter(erasure_id__any=erasure_ids))
        requests.filter(state=SubjectRequest.State.EXECUTING).update(
            state=SubjectRequest.State.DESTROYED_LIVE, version=F("version") + 1
        )
        to_certify = [
            one.erasure_id
            for one in attestations
            if one.erasure_id in requested or part_certificates.is_part(one.body)
        ]
        if to_certify:
            effect_batches.enqueue_many(
                kind="governance.certify",
                items=[(str(id_), {"erasure_id": str(id_)}) for id_ in to_certify],
                now=max(one.at for one in attestations),
            )

    @requires_unit_of_work
    def replayed(self, *, revocations: Sequence[Revoked], now: datetime) -> None:
        """Keep a record of each withdrawal that a restored database had lost."""
        consent_records.keep_replayed(revocations, now=now)


def participant() -> Governance:
    """Factory for `settings.LETHE_PORTS`."""
    return Governance()
