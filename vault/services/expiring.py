"""Expiry of one key group: its retention has ended, and the person lives on.

Category and group are opaque here; whoever calls knows that the time has come. The group's key is
destroyed by the ordinary machine. Data put in afterwards gets a new key.
"""

from datetime import datetime
from uuid import UUID

from django.db.models import Q

from core import ids
from core.actors import Actor
from core.canonical import instant
from core.errors import Conflict
from core.unit_of_work import requires_unit_of_work
from vault.domain.states import RekeyState, Scope, ShareState, ShreddingState
from vault.errors import SubjectNotFound
from vault.models import KeyShare, Rekey, Shredding, ShreddingShare, Subject
from vault.services import gate, group_shredding
from vault.services.creating import MAIN_GROUP
from vault.services.rekeying import GroupNotFound, RekeyRunning


class GroupNotExpirable(Conflict):
    """The main group holds the person's evidence key and ends with the person only."""

    code = "group-not-expirable"
    text = "Data of the main key group ends with the person; it does not expire by itself."


@requires_unit_of_work
def expire(
    *,
    controller_id: UUID,
    subject_id: UUID,
    group: str,
    actor: Actor,
    open_leases: int,
    now: datetime,
) -> Shredding:
    """Stop all reading and writing of the group with this commit, and enqueue its destruction.

    Raises GroupNotExpirable, SubjectNotFound, SubjectErased, GroupNotFound (no key, or one that
    is being destroyed), RekeyRunning, ShredBlocked, RestoreReplayRequired.
    """
    gate.require_open()
    if group == MAIN_GROUP:
        raise GroupNotExpirable(field="group")
    if not Subject.objects.filter(id=subject_id, controller_id=controller_id).exists():
        raise SubjectNotFound
    request = {"requested_at": instant(now), "requesters": [actor.id], "reasons": ["expiry"]}
    running = ShreddingShare.objects.exclude(shredding__state=ShreddingState.CANCELLED)
    shares = KeyShare.objects.exclude(kid__in=running.values("share"))
    row = group_shredding.fence(
        group_shredding.Part(subject_id, Scope.GROUP, group, request, open_leases),
        shares=shares,
        erasure_id=ids.new_random(),
        actor=actor,
        now=now,
    )
    ended = ShreddingShare.objects.filter(shredding=row)
    if not ended.filter(Q(was_live=True) | ~Q(share__lost_at=None)).exists():
        raise GroupNotFound(field="group")
    rekeys = Rekey.objects.filter(subject_id=subject_id, group=group)
    if rekeys.exclude(state=RekeyState.DONE).exists():
        raise RekeyRunning
    return row


def due(
    *, controller_id: UUID, group: str, before: datetime, after: UUID, limit: int
) -> list[UUID]:
    """Subjects above `after` that hold a key of the group made before that time, by id."""
    shares = KeyShare.objects.filter(
        controller_id=controller_id,
        group=group,
        state__in=[ShareState.LIVE, ShareState.LOST],
        planned_at__lt=before,
        subject_id__gt=after,
    )
    return list(shares.order_by("subject_id").values_list("subject_id", flat=True)[:limit])


def get(*, controller_id: UUID, erasure_id: UUID) -> Shredding | None:
    """The expiry as it stands; None when there is none of this controller with this id."""
    rows = Shredding.objects.filter(controller_id=controller_id, scope=Scope.GROUP)
    return rows.filter(erasure_id=erasure_id).first()
