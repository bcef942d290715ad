"""A person with two records and whoever re-keys them, for tests of what that does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

from core import effects
from core.unit_of_work import unit_of_work
from tests.fakes import backups
from tests.fakes.world import World
from vault.models import KeyShare, Rekey, ShredLock
from vault.services import locks, reading, rekeying, shredding


@dataclass
class Office:
    """A person with two records, of which one has two versions; and who re-keys."""

    world: World
    subject: UUID
    kept: UUID
    gone: UUID

    def erase(self, version: int = 2) -> Rekey:
        with unit_of_work():
            return rekeying.erase_record(
                controller_id=self.world.controller_id,
                record_id=self.gone,
                expected_version=version,
                actor=self.world.actor,
                now=self.world.now,
            )

    def leak(self, group: str = "main") -> Rekey:
        with unit_of_work():
            return rekeying.suspect_leak(
                controller_id=self.world.controller_id,
                subject_id=self.subject,
                group=group,
                actor=self.world.actor,
                now=self.world.now,
            )

    def fence(self) -> UUID:
        """The beginning of the subject's erasure."""
        erasure_id = uuid4()
        with unit_of_work():
            shredding.fence(
                subject_id=self.subject,
                erasure_id=erasure_id,
                actor=self.world.actor,
                open_leases=0,
                now=self.world.now,
            )
        return erasure_id

    def work(self, *, minutes: float = 6) -> None:
        self.world.later(minutes=minutes)
        effects.sweep(queue="default", now=self.world.now)

    def back_up(self, store: str) -> None:
        self.world.later(minutes=2)
        backups.newest[store] = self.world.now

    def swap(self) -> None:
        self.work()
        self.back_up("key-store")
        self.work()
        assert state() == "swapped"

    def end(self) -> None:
        self.back_up("database")
        self.work()
        assert state() == "destroying"
        for _ in range(2):
            self.world.later(minutes=10)
            for queue in ("shred", "attest", "default"):
                effects.sweep(queue=queue, now=self.world.now)

    def shares(self) -> list[tuple[str, bool]]:
        """State of each share of the person, and whether the key store can use it."""
        rows = KeyShare.objects.filter(subject_id=self.subject).order_by("planned_at")
        store = self.world.custodian.shares
        return [(row.state, store.get(row.kid.bytes) is not None) for row in rows]

    def documents(self) -> set[bytes]:
        return {row.document for row in self.world.page().rows}

    def versions(self, record: UUID) -> list[bytes]:
        found = reading.versions(controller_id=self.world.controller_id, record_id=record)
        return [one.document for one in found]


def state() -> str:
    return Rekey.objects.get().state


@contextmanager
def office(world: World) -> Iterator[Office]:
    """Needs `settings.LETHE_BACKUPS_ATTESTED = backups.PATH`."""
    subject = world.subject()
    world.consent(subject)
    gone = world.record(subject, "r1", b'{"n":1}').record_id
    world.record(subject, "r1", b'{"n":2}')
    kept = world.record(subject, "r2", b'{"n":3}').record_id
    world.record(subject, "r2", b'{"n":4}')
    assert gone is not None
    assert kept is not None
    yield Office(world, subject, kept, gone)
    backups.newest.clear()


def lock(world: World, scope: ShredLock.Scope, scope_id: UUID) -> locks.Placed:
    with unit_of_work():
        return locks.place(
            controller_id=world.controller_id,
            scope=scope,
            scope_id=scope_id,
            ground="art17-3-e",
            actor=world.actor,
            now=world.now,
        )
