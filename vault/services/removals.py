"""Tells the consumers of a purpose which aliases are gone; the one writer of `Removal`."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from core.ids import new_time_ordered
from core.unit_of_work import requires_unit_of_work
from vault.models import Removal


@requires_unit_of_work
def keep(aliases: Sequence[tuple[UUID, UUID]], *, reason: Removal.Reason, now: datetime) -> None:
    """Announce each (purpose id, alias) as gone; names no subject."""
    Removal.objects.bulk_create(
        Removal(id=new_time_ordered(), purpose_id=purpose_id, alias=alias, reason=reason, at=now)
        for purpose_id, alias in sorted(aliases)
    )
