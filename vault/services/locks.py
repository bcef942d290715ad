"""Locks against destruction, placed by legal holds and retention floors.

Until an erasure is ordered a new lock cancels it; from then on the lock is refused as too late.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from core import audit
from core.actors import Actor
from core.canonical import instant
from core.errors import NotFound
from core.ids import new_time_ordered
from core.unit_of_work import requires_unit_of_work
from vault.domain.states import (
    CANCELLABLE,
    RekeyState,
    Scope,
    ShareState,
    ShreddingState,
    SubjectState,
)
from vault.errors import TooLate
from vault.models import Alias, DataKey, KeyShare, Rekey, Shredding, ShredLock, Subject
from vault.models.triggers import SHRED_BLOCKED
from vault.services import journal

_RUNNING = (*CANCELLABLE, ShreddingState.ORDERED, ShreddingState.KEYS_DESTROYED)
_COVERING: Final = """
SELECT w.id, c.id FROM unnest(%s::uuid[]) AS w (id), LATERAL ({covered} LIMIT 1) AS c"""


class LockNotFound(NotFound):
    """No such lock, or another controller's."""

    code = "lock-not-found"
    text = "No lock of yours has this id."


@dataclass(frozen=True, slots=True)
class Placed:
    """A lock in force and the erasures that it cancelled."""

    lock: ShredLock
    cancelled: tuple[UUID, ...]


@requires_unit_of_work
def serialize(controller_id: UUID, *, exclusive: bool) -> None:
    """Order lock changes of a controller against its fences and orders, until commit."""
    function = "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {function}(hashtextextended(%s, 7))",
            [f"shred-lock:{controller_id}"],
        )


@requires_unit_of_work
def place(
    *,
    controller_id: UUID,
    scope: ShredLock.Scope,
    scope_id: UUID,
    ground: str,
    actor: Actor,
    now: datetime,
) -> Placed:
    """Forbid destruction within `scope` from now on; cancels erasures not yet ordered.

    `ground` is a code, never free text. Raises TooLate for a subject whose destruction has been
    ordered; the caller records that refusal. Of a subject of which only one key group's
    destruction has been ordered the rest is locked.
    """
    serialize(controller_id, exclusive=True)
    running = list(_running(controller_id, scope, scope_id))
    late = [shredding for shredding in running if shredding.state not in CANCELLABLE]
    ending = [shredding for shredding in late if shredding.scope == Scope.SUBJECT]
    if ending and scope == ShredLock.Scope.SUBJECT:
        raise TooLate(erasure_id=str(ending[0].erasure_id))
    lock = ShredLock.objects.create(
        id=new_time_ordered(),
        controller_id=controller_id,
        scope=scope,
        scope_id=scope_id,
        ground=ground,
        placed_by=actor.id,
        placed_at=now,
    )
    _announce(lock)
    cancelled = tuple(s.erasure_id for s in running if s.state in CANCELLABLE)
    for erasure_id in cancelled:
        cancel(erasure_id=erasure_id, actor=actor, now=now)
    audit.record(
        action="vault.lock.placed",
        actor=actor,
        controller_id=controller_id,
        now=now,
        details={
            "lock": str(lock.id),
            "scope": scope.value,
            "ground": ground,
            "too_late_for": [str(s.erasure_id) for s in late],
        },
    )
    return Placed(lock, cancelled)


@requires_unit_of_work
def _announce(lock: ShredLock) -> None:
    journal.intend(
        kind="lock",
        body={
            "controller_id": str(lock.controller_id),
            "lock_id": str(lock.id),
            "scope": str(lock.scope),
            "scope_id": str(lock.scope_id),
            "ground": lock.ground,
            "placed_by": lock.placed_by,
            "placed_at": instant(lock.placed_at),
        },
        now=lock.placed_at,
    )


def _running(controller_id: UUID, scope: ShredLock.Scope, scope_id: UUID) -> Sequence[Shredding]:
    rows = Shredding.objects.filter(
        controller_id=controller_id, subject__isnull=False, state__in=_RUNNING
    )
    if scope == ShredLock.Scope.SUBJECT:
        rows = rows.filter(subject_id=scope_id)
    elif scope == ShredLock.Scope.CATEGORY:
        keys = DataKey.objects.filter(category_id=scope_id, subject=OuterRef("subject"))
        of_group = keys.filter(share__group=OuterRef("group"))
        rows = rows.filter(Q(Exists(keys), scope=Scope.SUBJECT) | Q(Exists(of_group)))
    elif scope == ShredLock.Scope.PURPOSE:
        granted = Alias.objects.filter(purpose_id=scope_id).values("subject_id")
        rows = rows.filter(subject__in=granted)
    return list(rows.order_by("subject_id"))


@requires_unit_of_work
def lift(*, controller_id: UUID, lock_id: UUID, actor: Actor, now: datetime) -> ShredLock:
    """End a lock. Lifting one that is lifted changes nothing. Raises LockNotFound."""
    serialize(controller_id, exclusive=True)
    lock = ShredLock.objects.filter(id=lock_id, controller_id=controller_id).first()
    if lock is None:
        raise LockNotFound
    if lock.lifted_at is None:
        lock.lifted_at, lock.lifted_by = now, actor.id
        lock.save(update_fields=["lifted_at", "lifted_by"])
        journal.intend(
            kind="lock-lifted",
            body={
                "controller_id": str(controller_id),
                "lock_id": str(lock.id),
                "lifted_by": actor.id,
                "lifted_at": instant(now),
            },
            now=now,
        )
        audit.record(
            action="vault.lock.lifted",
            actor=actor,
            controller_id=controller_id,
            now=now,
            details={"lock": str(lock.id)},
        )
    return lock


def blocking(*, subject_id: UUID, group: str | None = None) -> list[ShredLock]:
    """Locks in force that cover the subject, or one key group of it, by the trigger's rule."""
    query = SHRED_BLOCKED.format(subject="%s", scope="%s", group="%s")
    scope = Scope.SUBJECT if group is None else Scope.GROUP
    return list(
        ShredLock.objects.raw(
            query.replace("SELECT 1 FROM vault_shredlock", "SELECT l.* FROM vault_shredlock"),
            [subject_id, scope.value, group or ""],
        )
    )


def covering(*, subject_ids: Collection[UUID]) -> dict[UUID, ShredLock]:
    """One lock in force for each of the subjects that has any, by the same rule."""
    covered = SHRED_BLOCKED.format(subject="w.id", scope="'subject'", group="''")
    query = _COVERING.format(covered=covered.replace("SELECT 1 FROM", "SELECT l.id FROM"))
    with connection.cursor() as cursor:
        cursor.execute(query, [list(subject_ids)])
        found = dict(cursor.fetchall())
    locks = ShredLock.objects.in_bulk(found.values())
    return {subject_id: locks[lock_id] for subject_id, lock_id in found.items()}


def blocked(*, erasure_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the shreddings that a lock in force forbids, by the same rule."""
    covered = SHRED_BLOCKED.format(subject="r.subject_id", scope="r.scope", group='r."group"')
    query = f"SELECT r.erasure_id FROM vault_shredding r WHERE r.erasure_id = ANY(%s) AND EXISTS ({covered})"  # noqa: E501, S608 - constants only
    with connection.cursor() as cursor:
        cursor.execute(query, [list(erasure_ids)])
        return {erasure_id for (erasure_id,) in cursor.fetchall()}


@requires_unit_of_work
def cancel(*, erasure_id: UUID, actor: Actor, now: datetime) -> None:
    """Undo a fence: the subject and its shares are as before. Raises TooLate once ordered."""
    shredding = Shredding.objects.get(erasure_id=erasure_id)
    if shredding.subject_id is None:
        raise TooLate(erasure_id=str(erasure_id))
    Subject.objects.select_for_update().get(id=shredding.subject_id)
    shredding.refresh_from_db()
    if shredding.state == ShreddingState.CANCELLED:
        return
    if shredding.state not in CANCELLABLE:
        raise TooLate(erasure_id=str(erasure_id))
    shredding.state, shredding.cancelled_at = ShreddingState.CANCELLED, now
    shredding.save(update_fields=["state", "cancelled_at"])
    if shredding.scope == Scope.SUBJECT:
        live_again = {"state": SubjectState.LIVE, "erasure_id": None}
        Subject.objects.filter(id=shredding.subject_id).update(**live_again)
    _put_back(shredding)
    audit.record(
        action="vault.shredding.cancelled",
        actor=actor,
        controller_id=shredding.controller_id,
        now=now,
        erasure_id=erasure_id,
    )


@requires_unit_of_work
def _put_back(shredding: Shredding) -> None:
    """The shares as they were before the fence; re-keys go on from where they stood."""
    shares = KeyShare.objects.filter(shreddingshare__shredding=shredding, state=ShareState.RETIRED)
    lost = list(shares.exclude(lost_at=None).values_list("kid", flat=True))
    KeyShare.objects.filter(kid__in=lost).update(state=ShareState.LOST, retired_at=None)
    was_live = shares.filter(shreddingshare__shredding=shredding, shreddingshare__was_live=True)
    kids = list(was_live.values_list("kid", flat=True))
    KeyShare.objects.filter(kid__in=kids).update(state=ShareState.LIVE, retired_at=None)
    to_come = Rekey.objects.filter(
        subject=shredding.subject_id,
        state__in=[RekeyState.PLANNED, RekeyState.CREATED, RekeyState.RESEALING],
    )
    kids = list(shares.filter(kid__in=to_come.values("new_share")).values_list("kid", flat=True))
    KeyShare.objects.filter(kid__in=kids).update(state=ShareState.SUCCESSOR, retired_at=None)
    Rekey.objects.filter(erasure_id=shredding.erasure_id, state=RekeyState.DESTROYING).update(
        state=RekeyState.SWAPPED
    )
