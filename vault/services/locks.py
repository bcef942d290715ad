"""Locks against destruction, placed by legal holds and retention floors.

Until an erasure is ordered a new lock cancels it; from then on the lock is refused as too late.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from core import audit
from core.actors import Actor
from core.canonical import instant
from core.errors import NotFound
from core.ids import new_time_ordered
from core.unit_of_work import requires_unit_of_work
from vault.domain.states import CANCELLABLE, ShareState, ShreddingState, SubjectState
from vault.errors import TooLate
from vault.models import Alias, DataKey, KeyShare, Shredding, ShredLock, Subject
from vault.models.triggers import SHRED_BLOCKED
from vault.services import journal


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
    ordered; the caller records that refusal.
    """
    serialize(controller_id, exclusive=True)
    running = list(_running(controller_id, scope, scope_id))
    late = [shredding for shredding in running if shredding.state not in CANCELLABLE]
    if late and scope == ShredLock.Scope.SUBJECT:
        raise TooLate(erasure_id=str(late[0].erasure_id))
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
    rows = Shredding.objects.filter(controller_id=controller_id, subject__isnull=False).exclude(
        state=ShreddingState.CANCELLED
    )
    if scope == ShredLock.Scope.SUBJECT:
        rows = rows.filter(subject_id=scope_id)
    elif scope == ShredLock.Scope.CATEGORY:
        covered = DataKey.objects.filter(category_id=scope_id).values("subject_id")
        rows = rows.filter(subject__in=covered)
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


def blocking(*, subject_id: UUID) -> list[ShredLock]:
    """Locks in force that cover the subject, by the same rule as the trigger."""
    query = SHRED_BLOCKED.replace("SELECT 1", "SELECT l.*").replace("NEW.subject_id", "%s")
    return list(ShredLock.objects.raw(query, [subject_id]))


def blocked(*, subject_ids: Sequence[UUID]) -> dict[UUID, ShredLock]:
    """As `blocking` for many: subject to one lock that covers it."""
    query = SHRED_BLOCKED.replace("SELECT 1", "SELECT s.id, l.id").replace(
        "s.id = NEW.subject_id", "s.id = ANY(%s)"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [list(subject_ids)])
        covered: dict[UUID, UUID] = dict(cursor.fetchall())
    found = ShredLock.objects.in_bulk(list(covered.values()))
    return {subject_id: found[lock_id] for subject_id, lock_id in covered.items()}


@requires_unit_of_work
def cancel(*, erasure_id: UUID, actor: Actor, now: datetime) -> None:
    """Undo a fence: the subject and its shares are live again. Raises TooLate once ordered."""
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
    Subject.objects.filter(id=shredding.subject_id).update(state=SubjectState.LIVE, erasure_id=None)
    KeyShare.objects.filter(
        shreddingshare__shredding=shredding, shreddingshare__was_live=True
    ).update(state=ShareState.LIVE, retired_at=None)
    audit.record(
        action="vault.shredding.cancelled",
        actor=actor,
        controller_id=shredding.controller_id,
        now=now,
        erasure_id=erasure_id,
    )
