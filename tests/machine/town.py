"""A world in which any act may break off at a named point, and either store may be put back."""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from core import effects, failpoints, ids
from core import runtime as core_runtime
from core.actors import Actor
from core.errors import ServiceError
from core.ids import PublicId
from tests.fakes import backups, rotations
from tests.fakes.points import Killed
from tests.fakes.site import Site
from tests.machine.model import Truth
from tests.servers import restores
from vault import runtime
from vault.adapters import directory_journal
from vault.domain.gate import Reason
from vault.errors import TooLate
from vault.models import PendingEntry
from vault.ports import ShareRef, ShareState
from vault.services import gate, key_cache, losing, refounding, releasing, replaying

QUEUES = ("shred", "attest", "default")
#: Backups of each store that are kept; the oldest goes.
_KEPT = 4
#: Rounds of the operator after which the gate must be open.
_ROUNDS = 6
_REPLAYED = {
    Reason.DATABASE_BEHIND,
    Reason.KEY_STORE_BEHIND,
    Reason.MARKER_ABSENT,
    Reason.REPLAY_UNVERIFIED,
}


@dataclass
class Fault:
    """What befalls an act: it breaks off at a named point, or the store's answer is lost.

    Whoever was broken off tries again. `at` has for each try the point's name, or a number for the
    n-th point that is reached, 0 for a try that goes well.
    """

    at: tuple[int | str, ...] = (0,)
    lost_answer: str = ""


@dataclass
class Backup:
    """A dump of the database, and what was true then."""

    dump: Path
    truth: Truth


@dataclass
class Town:
    """The site, what is true of it, and its backups. `raised` counts faults by point."""

    site: Site
    truth: Truth = field(default_factory=Truth)
    dumps: list[Backup] = field(default_factory=list)
    snapshots: list[Any] = field(default_factory=list)
    raised: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.world, self.folder = self.site.world, self.site.folder
        self.stack.enter_context(rotations.inventory())

    @property
    def now(self) -> datetime:
        return self.world.now

    def act(self, act: Callable[[], object], fault: Fault) -> bool:
        """Do it, as often as `fault` has tries; True when the last one surely came to its end."""
        return [self._try(act, at, fault.lost_answer) for at in fault.at][-1]

    def _try(self, act: Callable[[], object], at: int | str, lost_answer: str) -> bool:
        self.world.later(minutes=1)
        store = self.world.custodian
        if lost_answer:
            store.lost_answers.add(lost_answer)
        try:
            with failpoints.installed(self._killer(at)):
                act()
        except Killed:
            self.restart()
            return False
        except ServiceError as error:
            self.counts[f"refused: {error.code}"] += 1
            return False
        finally:
            if lost_answer and not store.lost_answers:
                self.raised[f"lost answer: {lost_answer}"] += 1
            store.lost_answers.clear()
        return True

    def _killer(self, at: int | str) -> Callable[[str], None]:
        reached: list[str] = []

        def reach(point: str) -> None:
            reached.append(point)
            if at in (point, len(reached)):
                self.raised[point] += 1
                raise Killed

        return reach

    def restart(self) -> None:
        """The process is gone: what it held in memory, and its hold on the journal."""
        key_cache.cache().clear()
        self.world.journal.close()
        folder = self.folder
        journal = directory_journal.DirectoryJournal(
            folder / "journal", mirrors=[folder / "mirror"]
        )
        self.world.journal = journal
        self.stack.enter_context(core_runtime.override(journal=journal, journal_reader=journal))

    def settle(self) -> None:
        """Take note of what the journal has by now."""
        if not PendingEntry.objects.exists():
            self.truth.secure()

    def lives(self, kid: UUID) -> bool:
        """Whether any node of the key store can use this share, looked at from outside."""
        ref = ShareRef(kid.bytes, self.world.controller_id)
        readings = runtime.custodian().read_destruction([ref])
        return any(reading.state is ShareState.LIVE for reading in readings)

    def kids(self) -> list[UUID]:
        """Every share that the key store has a name of."""
        kids = runtime.inventory().kids(controller_id=self.world.controller_id)
        return [UUID(bytes=kid) for kid in kids]

    def is_open(self) -> bool:
        return gate.state().is_open

    # --- the processes ---------------------------------------------------------------------

    def run(self, queue: str) -> None:
        """One round of a queue's worker."""
        self.world.later(minutes=6)
        if queue == "shred":
            self.site.tend()
        effects.sweep(queue=queue, now=self.now)

    # --- backups and restores --------------------------------------------------------------

    def back_up_database(self) -> None:
        """One begins well after what went before and well before what follows: clocks differ."""
        self.world.later(minutes=2)
        began = self.now
        del self.dumps[: 1 - _KEPT]
        dump = restores.take(self.folder / f"{len(self.dumps)}-{self.counts['dumps']}.dump")
        self.counts["dumps"] += 1
        self.dumps.append(Backup(dump, self.truth.kept()))
        backups.newest["database"] = began
        self.world.later(minutes=2)

    def back_up_keys(self) -> None:
        self.world.later(minutes=2)
        began = self.now
        del self.snapshots[: 1 - _KEPT]
        self.snapshots.append(self.site.snapshot())
        backups.newest["key-store"] = began
        self.world.later(minutes=2)

    def put_back_database(self, backup: Backup) -> None:
        self.counts["restores of the database"] += 1
        restores.put_back(backup.dump)
        key_cache.cache().clear()
        self.truth.put_back(backup.truth)
        assert not self.is_open(), "a restored database began open"

    def put_back_keys(self, snapshot: Any) -> None:
        """And the eraser's next round, until which nobody can know."""
        self.counts["restores of the key store"] += 1
        self.site.put_back_keys(snapshot)
        key_cache.cache().clear()
        self.site.tend()

    def end_old_backups(self) -> None:
        """What rotation waits for: no database backup of now or before is left."""
        self.dumps.clear()
        rotations.clear(self.site)

    def lose_journal(self) -> None:
        """Both volumes are gone; two operators found a new one, and older backups are barred."""
        self.counts["journals lost"] += 1
        self.world.journal.close()
        volumes = [self.folder / name for name in ("journal", "mirror")]
        for volume in volumes:
            shutil.rmtree(volume)
            volume.mkdir()
        operators = [self._person("operator") for _ in range(2)]
        genesis = refounding.plan(operators=operators, accept_loss=False, now=self.now)
        directory_journal.found(
            volumes[0], mirrors=volumes[1:], now=self.now, journal_id=uuid4(),
            ordinal=genesis.ordinal, body=genesis.body,
        )  # fmt: skip
        self.restart()
        refounding.adopt(first=self.world.journal.head(), operators=operators, now=self.now)
        self.dumps.clear()
        self.snapshots.clear()

    def _person(self, role: str) -> Actor:
        id_ = uuid4()
        return Actor(ids.format(PublicId.PERSON, id_), role, None, id_)

    # --- the operator ----------------------------------------------------------------------

    def recover(self, *, does_release: bool) -> None:
        """What the runbooks say, until the gate is open."""
        for _ in range(_ROUNDS):
            self.world.later(minutes=2)
            reason = self.site.tend()
            if reason in _REPLAYED:
                self._replay()
            elif reason is Reason.IN_STEP:
                losing.find(now=self.now, accepted_by=self.world.actor)
                self._decide_held(does_release=does_release)
                return
        raise AssertionError(f"there is no way to open the gate again: {gate.state()}")

    def _replay(self) -> None:
        self.counts["replays"] += 1
        try:
            replaying.apply(now=self.now, accepted_by=self.world.actor)
        except replaying.NothingToReplay:
            self.counts["replays that had nothing to do"] += 1
        self.site.tend()
        try:
            replaying.verify(now=self.now)
        except replaying.NothingToReplay:
            self.counts["replays that had nothing to verify"] += 1

    def _decide_held(self, *, does_release: bool) -> None:
        officer = self._person("compliance-officer")
        for erasure_id in [row.erasure_id for row in releasing.held()]:
            acts: Sequence[Callable[..., int]] = [releasing.call_off, releasing.release]
            for decide in acts[does_release:]:
                try:
                    decide(erasure_ids=[erasure_id], officer=officer, now=self.now)
                except TooLate:
                    continue
                break
