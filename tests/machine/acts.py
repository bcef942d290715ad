"""What is done to one person, as the rooms above do it: each one unit of work or service call."""

from collections.abc import Callable
from uuid import UUID

from core.unit_of_work import unit_of_work
from tests.machine.town import Town
from vault.models import SealedRecord, ShredLock
from vault.services import locks, rekeying, restrictions, rotating, rotation_steps

GROUND = "art17-3-e"


def restriction(town: Town, subject_id: UUID, *, is_lifted: bool) -> Callable[[], None]:
    """Restrict, or lift; one call."""
    verb = restrictions.lift if is_lifted else restrictions.restrict

    def act() -> None:
        with unit_of_work():
            verb(
                subject_id=subject_id,
                purpose_id=town.world.purpose_id,
                decided_at=town.now,
                reason="accuracy-contested",
                actor=town.world.actor,
                now=town.now,
            )

    return act


def lift_locks(town: Town, subject_id: UUID) -> None:
    """Lift every lock of the person."""
    rows = ShredLock.objects.filter(scope_id=subject_id, lifted_at=None)
    with unit_of_work():
        for lock_id in list(rows.values_list("id", flat=True)):
            locks.lift(
                controller_id=town.world.controller_id,
                lock_id=lock_id,
                actor=town.world.actor,
                now=town.now,
            )


def remove(town: Town, record_id: UUID) -> None:
    """Erase one record, which begins a re-key."""
    current = SealedRecord.objects.filter(record_id=record_id, is_current=True)
    with unit_of_work():
        rekeying.erase_record(
            controller_id=town.world.controller_id,
            record_id=record_id,
            expected_version=current.values_list("version", flat=True).first() or 1,
            actor=town.world.actor,
            now=town.now,
        )


def leak(town: Town, subject_id: UUID) -> None:
    """Suspect that the person's key has leaked, which begins a re-key."""
    with unit_of_work():
        rekeying.suspect_leak(
            controller_id=town.world.controller_id,
            subject_id=subject_id,
            group=town.world.category.group,
            actor=town.world.actor,
            now=town.now,
        )


def rotate(town: Town, *, is_custody: bool) -> None:
    """Begin a rotation, or go on with those that run."""
    running = rotating.running()
    if not running:
        rotating.begin(
            purpose_id=None if is_custody else town.world.purpose_id,
            actor=town.world.actor,
            now=town.now,
        )
    for row in rotating.running():
        rotation_steps.advance(rotation_id=row.id, clock=lambda: town.now)
