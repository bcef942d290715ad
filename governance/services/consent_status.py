"""Places of consents in status lists: given out with a receipt, revoked with the consent."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from contracts.services import status_lists
from contracts.services.status_lists import Pointer
from core.unit_of_work import requires_unit_of_work
from governance.domain.law import ConsentDecision
from governance.models import ConsentRecord, ConsentStatus
from vault.errors import SubjectErased
from vault.models import Subject

#: A person's trail, and a purpose.
Pair: TypeAlias = tuple[UUID, UUID]


@requires_unit_of_work
def place_of(row: ConsentRecord, *, now: datetime) -> Pointer:
    """The place of a consent that was given; revoked from the start if it was withdrawn since.

    Raises SubjectErased, StatusListFull.
    """
    living = Subject.objects.select_for_update(no_key=True)  # against a withdrawal meanwhile
    if living.filter(trail_id=row.trail_id, state="live").values_list("id").first() is None:
        raise SubjectErased
    held = ConsentStatus.objects.filter(consent=row).first()
    if held is not None:
        return Pointer(bytes(held.list_id), held.index)
    (pointer,) = status_lists.allocate(count=1, now=now)
    ConsentStatus.objects.create(consent=row, list_id=pointer.list_id, index=pointer.index)
    later = ConsentRecord.objects.filter(
        trail_id=row.trail_id, purpose_id=row.purpose_id, decided_at__gt=row.decided_at
    )
    if later.exclude(decision=ConsentDecision.GIVEN).exists():
        status_lists.revoke(pointers=[pointer])
    return pointer


@requires_unit_of_work
def end(pairs: Collection[Pair]) -> None:
    """The consents of these people to these purposes are withdrawn, or refused anew."""
    rows = ConsentStatus.objects.filter(
        consent__trail_id__in={trail for trail, _ in pairs},
        consent__purpose_id__in={purpose for _, purpose in pairs},
    )
    wanted = set(pairs)
    found = rows.select_related("consent")
    _revoke(one for one in found if (one.consent.trail_id, one.consent.purpose_id) in wanted)


@requires_unit_of_work
def forget(trails: Collection[UUID]) -> None:
    """The people of these trails are erased: their consents are over, and nobody's any more."""
    rows = ConsentStatus.objects.filter(consent__trail_id__in=trails)
    _revoke(rows)
    rows.delete()


def _revoke(rows: Iterable[ConsentStatus]) -> None:
    status_lists.revoke(pointers=[Pointer(bytes(row.list_id), row.index) for row in rows])
