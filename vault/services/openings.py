"""Openings of subject events, sealed to the subject's evidence key; no key store needed."""

from collections.abc import Sequence
from uuid import UUID

from core import hpke
from core.copying import copy_in
from core.unit_of_work import requires_unit_of_work
from vault.domain.states import SubjectState
from vault.errors import SubjectErased, SubjectNotFound
from vault.models import Subject

INFO = b"lethe/opening/v1"
_COLUMNS = {"event_id": "uuid", "subject_id": "uuid", "sealed": "bytea"}


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
                trail_id__any=trails
            ).values_list("id", "trail_id", "state", "evidence_public")
        }
        if trails - subjects.keys():
            raise SubjectNotFound
        if any(
            state != SubjectState.LIVE or public is None for _, state, public in subjects.values()
        ):
            raise SubjectErased
        copy_in(
            table="vault_sealedopening",
            columns=_COLUMNS,
            rows=(
                (
                    event,
                    subjects[trail][0],
                    hpke.seal(bytes(subjects[trail][2] or b""), opening, info=INFO),
                )
                for trail, event, opening in openings
            ),
        )


def sealer() -> Sealer:
    """Factory for `settings.LETHE_PORTS`."""
    return Sealer()
