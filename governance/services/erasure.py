"""The erasure that a released request starts: its fence, and how it stands."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from core import statements
from core.actors import Actor
from core.unit_of_work import requires_unit_of_work
from governance.models import Lease, SubjectRequest
from vault.domain.states import ShreddingState
from vault.models import Alias, Shredding
from vault.services import shredding

_OPEN_LEASES: Final = """
SELECT a.subject_id, count(*) FROM vault_alias a JOIN governance_lease l
  ON l.purpose_id = a.purpose_id AND l.state = 'open'
WHERE a.subject_id = ANY(%s) AND a.ground IS NOT NULL AND l.expires_at > %s
GROUP BY a.subject_id"""


@requires_unit_of_work
def start(*, request: SubjectRequest, subject_id: UUID, actor: Actor, now: datetime) -> None:
    """Fence the subject with this commit; the eraser's process does the rest.

    Raises SubjectNotFound, SubjectErased, ShredBlocked.
    """
    shredding.fence(
        subject_id=subject_id,
        erasure_id=request.erasure_id,
        actor=actor,
        open_leases=open_leases(subject_id, now=now),
        now=now,
    )


def open_leases(subject_id: UUID, *, now: datetime) -> int:
    """Leases that could have been reading the subject when it was fenced."""
    purposes = Alias.objects.filter(subject_id=subject_id, ground__isnull=False)
    return Lease.objects.filter(
        purpose_id__in=purposes.values("purpose_id"),
        state=Lease.State.OPEN,
        expires_at__gt=now,
    ).count()


def open_leases_many(subject_ids: Sequence[UUID], *, now: datetime) -> dict[UUID, int]:
    """As `open_leases` for each; those with none are left out."""
    return dict(statements.fetch(_OPEN_LEASES, [subject_ids, now]))


def was_cancelled(erasure_id: UUID) -> bool:
    """Whether a lock undid the fence before the destruction was ordered."""
    return Shredding.objects.filter(erasure_id=erasure_id, state=ShreddingState.CANCELLED).exists()


def progress(*, erasure_id: UUID) -> Shredding | None:
    """The erasure's row with the time of each step, or None before the release."""
    return Shredding.objects.filter(erasure_id=erasure_id).first()


def progress_many(erasure_ids: Iterable[UUID]) -> dict[UUID, Shredding]:
    """As `progress` for each, by erasure id."""
    rows = Shredding.objects.filter(erasure_id__any=list(erasure_ids))
    return {row.erasure_id: row for row in rows}
