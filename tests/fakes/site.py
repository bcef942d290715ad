"""The world with its backups and its operator: erases, restores and replays in short verbs."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from core import effects
from core.unit_of_work import unit_of_work
from tests.fakes.points import Killed
from tests.fakes.world import World
from tests.servers import restores
from vault.domain.gate import Reason
from vault.models import Removal, Replay, Shredding, ShredLock
from vault.services import gatekeeper, grants, locks, replaying
from vault.services import shredding as machine


@dataclass
class Site:
    """The world with its backups and its operator."""

    world: World
    folder: Path

    def tend(self) -> Reason | None:
        return gatekeeper.tend(now=self.world.now)

    def run(self) -> None:
        """Rounds and effects of eraser and attester until nothing is due."""
        for _ in range(3):
            self.world.later(minutes=10)
            self.tend()
            for queue in ("shred", "attest"):
                effects.sweep(queue=queue, now=self.world.now)

    def person(self, name: str) -> UUID:
        subject = self.world.subject(name)
        self.world.record(subject, document=b'{"name":"' + name.encode() + b'"}')
        self.world.consent(subject)
        return subject

    def fence(self, subject_id: UUID) -> UUID:
        erasure_id = uuid4()
        with unit_of_work():
            machine.fence(
                subject_id=subject_id,
                erasure_id=erasure_id,
                actor=self.world.actor,
                open_leases=0,
                now=self.world.now,
            )
        return erasure_id

    def erase(self, subject_id: UUID) -> UUID:
        erasure_id = self.fence(subject_id)
        self.run()
        assert Shredding.objects.get(erasure_id=erasure_id).state == "verified"
        return erasure_id

    def withdraw(self, subject_id: UUID) -> None:
        with unit_of_work():
            grants.withdraw(
                subject_id=subject_id,
                purpose_id=self.world.purpose_id,
                reason=Removal.Reason.WITHDRAWN,
                now=self.world.now,
            )

    def lock(self, subject_id: UUID) -> ShredLock:
        with unit_of_work():
            return locks.place(
                controller_id=self.world.controller_id,
                scope=ShredLock.Scope.SUBJECT,
                scope_id=subject_id,
                ground="art17-3-e",
                actor=self.world.actor,
                now=self.world.now,
            ).lock

    def dump(self, name: str = "backup") -> Path:
        return restores.take(self.folder / f"{name}.dump")

    def snapshot(self) -> Any:
        """Shares, marker, wrapping keys and their least versions, as they are now."""
        store = self.world.custodian
        return copy.deepcopy((store.shares, store.marker, store.wrapping, store.minimum))

    def put_back_keys(self, snapshot: Any) -> None:
        store = self.world.custodian
        store.shares, store.marker, *more = copy.deepcopy(snapshot)
        if more:
            store.wrapping, store.minimum = more

    def replay(self) -> Replay:
        """As eraser and attester; the operator answers for what is lost."""
        replay = replaying.apply(now=self.world.now, accepted_by=self.world.actor)
        assert self.tend() is Reason.REPLAY_UNVERIFIED
        replaying.verify(now=self.world.now)
        assert self.tend() is Reason.IN_STEP
        return replay

    def readable(self) -> set[bytes]:
        return {row.document for row in self.world.page().rows}


def killer(point: str, hits: list[str]) -> Callable[[str], None]:
    def kill(reached: str) -> None:
        if reached == point:
            hits.append(reached)
            raise Killed

    return kill
