"""Openings of subject events, sealed to the subject's evidence key; no key store needed."""

from collections.abc import Sequence
from uuid import UUID

from core import hpke
from core.unit_of_work import requires_unit_of_work
from vault.domain.states import SubjectState
from vault.errors import SubjectErased, SubjectNotFound
from vault.models import SealedOpening, Subject

INFO = b"lethe/opening/v1"


class Sealer:
    """Implements `core.ports.OpeningSealer`."""

    @requires_unit_of_work
    def seal_openings(self, *, openings: Sequence[tuple[UUID, UUID, bytes]]) -> None:
        """Store (trail id, event id, opening) sealed to each trail's subject.

        Raises SubjectNotFound for an unknown trail, SubjectErased for one that is not live.
        """
        trails = {trail for trail, _, _ in openings}
        subjects = {
            trail: (subject, state, public)
            for subject, trail, state, public in Subject.objects.filter(
                trail_id__in=trails
            ).values_list("id", "trail_id", "state", "evidence_public")
        }
        if trails - subjects.keys():
            raise SubjectNotFound
        if any(
            state != SubjectState.LIVE or public is None for _, state, public in subjects.values()
        ):
            raise SubjectErased
        SealedOpening.objects.bulk_create(
            (
                SealedOpening(
                    event_id=event,
                    subject_id=subjects[trail][0],
                    sealed=hpke.seal(bytes(subjects[trail][2] or b""), opening, info=INFO),
                )
                for trail, event, opening in openings
            ),
            batch_size=1000,
        )


def sealer() -> Sealer:
    """Factory for `settings.LETHE_PORTS`."""
    return Sealer()
