"""Openings of subject events, sealed to the subject's evidence key; no key store needed for that.

To open one takes the subject's share: once it is destroyed, nobody can.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from core import hpke, statements
from core.commitment import Commitment
from core.copying import copy_in
from core.unit_of_work import no_open_transaction, requires_unit_of_work
from vault.domain.states import SubjectState
from vault.errors import CiphertextTampered, SubjectErased, SubjectNotFound
from vault.models import SealedOpening
from vault.services import keys
from vault.services.creating import EVIDENCE_CATEGORY, MAIN_GROUP

INFO = b"lethe/opening/v1"
_COLUMNS = {"event_id": "uuid", "subject_id": "uuid", "sealed": "bytea"}
_SUBJECTS: Final = (
    "SELECT trail_id, id, state, evidence_public FROM vault_subject WHERE trail_id = ANY(%s)"
)


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
            for trail, subject, state, public in statements.fetch(_SUBJECTS, [list(trails)])
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
                    hpke.seal(subjects[trail][2], opening, info=INFO),
                )
                for trail, event, opening in openings
            ),
        )


@no_open_transaction
def open_event(event_id: UUID) -> Commitment:
    """The opening of one event about a living subject; who is given it can prove the event.

    The caller records whom it is given to. Raises SubjectErased, CiphertextTampered,
    RestoreReplayRequired, CustodianUnavailable, KeyLost.
    """
    row = SealedOpening.objects.filter(event_id=event_id, subject__state="live").first()
    if row is None:
        raise SubjectErased
    want = keys.Want(row.subject_id, EVIDENCE_CATEGORY, MAIN_GROUP)
    held = keys.open_kept_keys(wanted=[want]).get(want.slot)
    if held is None:
        raise SubjectErased
    try:
        return Commitment.unpack(hpke.open(held.key, bytes(row.sealed), info=INFO))
    except (hpke.NotAuthentic, ValueError):
        raise CiphertextTampered from None


def sealer() -> Sealer:
    """Factory for `settings.LETHE_PORTS`."""
    return Sealer()
