"""The state machine: any act, any crash, any restore, in any order."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from django.core.management import call_command
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.errors import ServiceError
from tests.fakes.site import Site
from tests.fakes.world import world as make_world
from tests.machine import acts, carrying, invariants
from tests.machine.model import Person
from tests.machine.town import QUEUES, Fault, Town
from vault.errors import ShredBlocked
from vault.models import SealedRecord
from vault.services import reading

_TRIES = [(0,), (1,), (1, 2, 3), (1, 2, 3, 0), (2, 1, 4), (4, 3, 2, 1, 0), (3, 5, 1, 6), (6, 8)]
_ANSWERS = ["create_shares", "make_grants", "destroy_shares", "open_grants"]
FAULTS = st.one_of(
    st.builds(Fault, at=st.sampled_from(_TRIES)),
    st.builds(Fault, at=st.sampled_from(_TRIES)),
    st.builds(Fault, at=st.just((0, 0)), lost_answer=st.sampled_from(_ANSWERS)),
)
#: Where the steps of something that is carried to its end break off.
POINTS: Any = st.lists(
    st.one_of(st.integers(0, 9), st.sampled_from(sorted(carrying.POINTS))), min_size=3, max_size=9
)
#: How often a step breaks off before it is left alone.
_BREAKS = 4
_PEOPLE, _REFERENCES, _DUMPS = 6, ("r1", "r2"), 3


class TownMachine(RuleBasedStateMachine):
    """Each step is one act of one process, with the invariants looked at after it."""

    #: Faults raised and other counts of all runs, by name.
    raised: ClassVar[Counter[str]] = Counter()
    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        call_command("flush", database="owner", interactive=False, verbosity=0)
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="lethe-town-"))
        self.town = Town(self.site())
        self.number = 0

    def site(self) -> Site:
        """A new site, for the length of the run."""
        return Site(self.stack.enter_context(make_world(self.folder)), self.folder)

    @initialize()
    def opens(self) -> None:
        self.town.site.tend()
        self.town.world.purpose_key()
        for _ in range(2):
            self._arrive(Fault())

    # --- people ----------------------------------------------------------------------------

    @precondition(lambda self: len(self.town.truth.people) < _PEOPLE)
    @rule(fault=FAULTS)
    def arrive(self, fault: Fault) -> None:
        self._arrive(fault)

    def _arrive(self, fault: Fault) -> None:
        self.number += 1
        name, made = f"p{self.number}", []
        is_sure = self._do(lambda: made.append(self.town.world.subject(name)), fault)
        if is_sure:
            self.town.truth.people[name] = Person(name, made[0])

    @precondition(lambda self: self.somebody())
    @rule(data=st.data(), reference=st.sampled_from(_REFERENCES), fault=FAULTS)
    def write(self, data: Any, reference: str, fault: Fault) -> None:
        person = self.draw(data)
        self.number += 1
        document = b'{"of":"%b","ref":"%b","n":%d}' % (
            person.name.encode(), reference.encode(), self.number,
        )  # fmt: skip
        outcomes: list[str] = []

        def act() -> None:
            outcomes.append(self.town.world.record(person.id, reference, document).outcome)

        is_sure = self._do(act, fault)
        if is_sure and outcomes[0] not in {"created", "updated"}:
            assert outcomes[0] in {"erased", "key-lost", "unknown-subject"}, outcomes
            return
        person.written(reference, document, is_sure=is_sure)

    @precondition(lambda self: self.somebody())
    @rule(data=st.data(), fault=FAULTS)
    def consent(self, data: Any, fault: Fault) -> None:
        person = self.draw(data)
        person.may_read, person.ground_at = True, self.town.now
        is_sure = self._do(lambda: self.town.world.consent(person.id), fault)
        person.must_read = is_sure and not person.may_be_restricted

    @precondition(lambda self: self.somebody())
    @rule(data=st.data(), fault=FAULTS)
    def withdraw(self, data: Any, fault: Fault) -> None:
        person = self.draw(data)
        self._take_away("withdrawn", person, lambda: self.town.site.withdraw(person.id), fault)

    @precondition(lambda self: self.somebody())
    @rule(data=st.data(), is_lifted=st.booleans(), fault=FAULTS)
    def restrict(self, data: Any, *, is_lifted: bool, fault: Fault) -> None:
        person = self.draw(data)
        act = acts.restriction(self.town, person.id, is_lifted=is_lifted)
        self._take_away("lifted" if is_lifted else "restricted", person, act, fault)

    @precondition(lambda self: self.somebody())
    @rule(data=st.data(), is_lifted=st.booleans(), fault=FAULTS)
    def lock(self, data: Any, *, is_lifted: bool, fault: Fault) -> None:
        person = self.draw(data)
        act: Callable[[], object] = partial(self.town.site.lock, person.id)
        if is_lifted:
            act = partial(acts.lift_locks, self.town, person.id)
        self._take_away("unlocked" if is_lifted else "locked", person, act, fault)

    @precondition(lambda self: self.somebody())
    @rule(data=st.data(), fault=FAULTS)
    def fence(self, data: Any, fault: Fault) -> None:
        person = self.draw(data)
        # A restored database may have forgotten a lock until the replay, which then cancels this.
        knows_locks = self.town.is_open()

        def act() -> None:
            try:
                self.town.site.fence(person.id)
            except ShredBlocked:
                return
            is_allowed = not (knows_locks and person.is_locked)
            assert is_allowed, invariants.told(self.town, person)
            person.is_erasing, person.must_read = True, False

        if not self._do(act, fault):
            person.is_erasing, person.must_read = True, False

    # --- keys ------------------------------------------------------------------------------

    @precondition(lambda self: self.somebody())
    @rule(data=st.data(), fault=FAULTS)
    def remove(self, data: Any, fault: Fault) -> None:
        rows = list(
            SealedRecord.objects.filter(is_current=True, subject__state="live")
            .order_by("created_at", "record_id")
            .values_list("record_id", "subject_id")
        )
        people = {person.id: person for person in self.living()}
        mine = [(record, people[subject]) for record, subject in rows if subject in people]
        if not mine:
            return
        record, person = data.draw(st.sampled_from(mine))
        reference = self._reference_of(person, record)
        if reference is not None:
            act = partial(acts.remove, self.town, record)
            self._take_away("removed", person, act, fault, reference=reference)

    def _reference_of(self, person: Person, record: UUID) -> str | None:
        try:
            rows = reading.custody_read(
                controller_id=self.town.world.controller_id, subject_id=person.id
            )
        except ServiceError:  # closed or lost: then it is not removed either
            return None
        found = [row.document.split(b'"')[7].decode() for row in rows if row.record_id == record]
        return found[0] if found else None

    @precondition(lambda self: self.somebody())
    @rule(data=st.data(), fault=FAULTS)
    def suspect_leak(self, data: Any, fault: Fault) -> None:
        person = self.draw(data)
        self._do(lambda: acts.leak(self.town, person.id), fault)

    @rule(is_custody=st.booleans(), fault=FAULTS)
    def rotate(self, *, is_custody: bool, fault: Fault) -> None:
        self._do(lambda: acts.rotate(self.town, is_custody=is_custody), fault)

    # --- processes -------------------------------------------------------------------------

    @rule(queue=st.sampled_from(["shred", *QUEUES]), fault=FAULTS)
    def work(self, queue: str, fault: Fault) -> None:
        self._do(lambda: self.town.run(queue), fault)

    @rule(fault=FAULTS)
    def tend(self, fault: Fault) -> None:
        self._do(self.town.site.tend, fault)

    # --- from beginning to end -------------------------------------------------------------

    @precondition(lambda self: self.town.is_open())
    @rule(points=POINTS)
    def carry_erasures(self, points: list[int | str]) -> None:
        self._carry(carrying.erasures(self.town), points)

    @precondition(lambda self: self.somebody() and self.town.is_open())
    @rule(data=st.data(), points=POINTS)
    def carry_rekey(self, data: Any, points: list[int | str]) -> None:
        self._carry(carrying.rekey(self.town, self.draw(data).id), points)

    @precondition(lambda self: self.town.is_open())
    @rule(is_custody=st.booleans(), points=POINTS)
    def carry_rotation(self, *, is_custody: bool, points: list[int | str]) -> None:
        self._carry(carrying.rotation(self.town, is_custody=is_custody), points)

    @precondition(lambda self: self.town.is_open())
    @rule(points=POINTS)
    def carry_orphans(self, points: list[int | str]) -> None:
        self._carry(carrying.orphans(self.town), points)
        invariants.assert_no_orphans(self.town)

    @precondition(lambda self: self.town.is_open() and self.may_put_keys_back())
    @rule(points=POINTS)
    def carry_loss(self, points: list[int | str]) -> None:
        self._carry(carrying.loss(self.town), points)

    def _carry(self, steps: list[Callable[[], object]], points: list[int | str]) -> None:
        """Each step breaks off at the points whose turn it is, is done again, and is looked at."""
        turn = cycle(points)
        for step in steps:
            for _ in range(_BREAKS):
                if self._do(step, Fault((next(turn),))):
                    break
            else:
                self._do(step, Fault())
            self.holds()

    # --- backups ---------------------------------------------------------------------------

    @precondition(lambda self: len(self.town.dumps) < _DUMPS)
    @rule()
    def back_up_database(self) -> None:
        self.town.back_up_database()

    @precondition(lambda self: len(self.town.snapshots) < _DUMPS)
    @rule()
    def back_up_keys(self) -> None:
        self.town.back_up_keys()

    @precondition(lambda self: self.town.dumps)
    @rule(odds=st.integers(0, 3))
    def end_old_backups(self, odds: int) -> None:
        if odds == 1:
            self.town.end_old_backups()

    @precondition(lambda self: self.town.dumps)
    @rule(data=st.data())
    def put_back_database(self, data: Any) -> None:
        self.town.put_back_database(data.draw(st.sampled_from(self.town.dumps)))

    @precondition(lambda self: self.town.snapshots and self.may_put_keys_back())
    @rule(data=st.data())
    def put_back_keys(self, data: Any) -> None:
        self._put_back_keys(data)

    @precondition(lambda self: self.town.dumps and self.town.snapshots)
    @precondition(lambda self: self.may_put_keys_back())
    @rule(data=st.data(), odds=st.integers(0, 2))
    def put_back_both(self, data: Any, odds: int) -> None:
        if odds != 1:
            return
        self.town.put_back_database(data.draw(st.sampled_from(self.town.dumps)))
        self._put_back_keys(data)

    def _put_back_keys(self, data: Any) -> None:
        self.town.put_back_keys(data.draw(st.sampled_from(self.town.snapshots)))
        if self.town.is_open():  # in step, and perhaps without keys that were made since
            self.town.recover(does_release=True)

    @precondition(lambda self: not self.town.is_open())
    @rule(does_release=st.booleans(), points=POINTS)
    def recover_at_once(self, *, does_release: bool, points: list[int | str]) -> None:
        self._carry([lambda: self.town.recover(does_release=does_release)], points)
        assert self.town.is_open()

    @rule(does_release=st.booleans(), fault=FAULTS)
    def recover(self, *, does_release: bool, fault: Fault) -> None:
        if not self._do(lambda: self.town.recover(does_release=does_release), fault):
            self.town.recover(does_release=does_release)
        assert self.town.is_open()

    @precondition(lambda self: self.town.is_open())
    @rule(odds=st.integers(0, 9))
    def lose_journal(self, odds: int) -> None:
        if odds != 1:
            return
        self.town.recover(does_release=True)
        self.town.lose_journal()
        self.town.recover(does_release=True)

    # --- what holds ------------------------------------------------------------------------

    @invariant()
    def holds(self) -> None:
        self.town.settle()
        invariants.check(self.town)

    def teardown(self) -> None:
        try:
            self.town.recover(does_release=True)
            self.holds()
        finally:
            type(self).raised += self.town.raised
            type(self).counts += self.town.counts
            type(self).counts["runs"] += 1
            self.town.stack.close()
            self.stack.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- helpers ---------------------------------------------------------------------------

    def may_put_keys_back(self) -> bool:
        """Snapshots of a real key store take seconds to put back."""
        return True

    def somebody(self) -> bool:
        return bool(self.living())

    def living(self) -> list[Person]:
        people = self.town.truth.people.values()
        return [person for person in people if not person.is_erased and not person.is_gone]

    def draw(self, data: Any) -> Person:
        person: Person = data.draw(st.sampled_from(self.living()))
        return person

    def _do(self, act: Callable[[], object], fault: Fault) -> bool:
        type(self).counts["acts"] += 1
        return self.town.act(act, fault)

    def _take_away(
        self, kind: Any, person: Person, act: Callable[[], object], fault: Fault, **more: str
    ) -> None:
        is_sure = self._do(act, fault)
        self.town.truth.note(kind, person.name, self.town.now, is_sure=is_sure, **more)
