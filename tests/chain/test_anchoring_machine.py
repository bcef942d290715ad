"""Everything that may happen to anchors, in any order, on a real anvil.

Batches, rounds, lost answers, ends of the process at named points, re-orgs of any depth, pools that
forget, prices that rise, old bytes that somebody sends again, operators who go on. Whatever came
before: in the end each head is anchored once, and nothing that is said to be final is wrong.
"""

from typing import ClassVar

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from contracts.domain.anchors import State, log_stream
from contracts.errors import ChainHalted, ChainUnavailable
from contracts.models import ChainAnchor, LogBatch
from contracts.services import halts, publishing
from core import failpoints
from tests.chain.bed import Bed
from tests.chain.test_anchoring import GWEI
from tests.fakes.points import Killed
from tests.fakes.site import killer

pytestmark = [pytest.mark.chain, pytest.mark.long]
POINTS = [
    "contracts.anchor.choosing",
    "contracts.anchor.signed",
    "contracts.anchor.sent",
    "contracts.anchor.raised",
]


class Machine(RuleBasedStateMachine):
    """One installation and one chain; each example goes on where the one before ended."""

    bed: ClassVar[Bed]

    def go(self, *, with_log: bool) -> None:
        try:
            self.bed.round(with_log=with_log)
        except ChainUnavailable:
            note("unavailable")
        except ChainHalted as error:
            note(f"halted: {error.context['reason']}")
            self.may_halt()

    def may_halt(self) -> None:
        """Only a re-org that was deeper than finality halts; every halt has its reason."""
        halt = halts.current(self.bed.name)
        assert halt is not None
        assert halt.reason == halts.CHANGED
        assert self.bed.deep

    @rule()
    def seal(self) -> None:
        self.bed.batch()

    @rule(with_log=st.booleans())
    def round(self, *, with_log: bool) -> None:
        self.go(with_log=with_log)

    @rule(count=st.integers(1, 4))
    def mine(self, count: int) -> None:
        self.bed.mine(count)

    @rule(depth=st.integers(1, 5))
    def reorg(self, depth: int) -> None:
        head = self.bed.node.eth.block_number
        finals = ChainAnchor.objects.filter(state=State.FINAL)
        floor = self.bed.contract().block_number + 3  # the contract itself stays
        if head - depth < floor:
            return
        if finals.filter(block_number__gt=head - depth).exists():
            self.bed.deep.append(depth)
        self.bed.reorg(depth)

    @rule()
    def forget_pool(self) -> None:
        self.bed.drop()

    @rule(gwei=st.sampled_from([1, 30, 90, 200]))
    def price(self, gwei: int) -> None:
        self.bed.base_fee(gwei * GWEI)

    @rule(with_log=st.booleans())
    def lose_answer(self, *, with_log: bool) -> None:
        self.bed.chain.loses_answers = True
        try:
            self.go(with_log=with_log)
        finally:
            self.bed.chain.loses_answers = False

    @rule(with_log=st.booleans())
    def be_down(self, *, with_log: bool) -> None:
        self.bed.chain.is_down = True
        try:
            self.go(with_log=with_log)
        finally:
            self.bed.chain.is_down = False

    @rule(point=st.sampled_from(POINTS))
    def end(self, point: str) -> None:
        try:
            with failpoints.installed(killer(point, [])):
                self.go(with_log=True)
        except Killed:
            note(f"ended at {point}")

    @rule(which=st.integers(0, 50))
    def somebody_sends_old_bytes(self, which: int) -> None:
        attempts = self.bed.attempts()
        if attempts:
            self.bed.chain.send(bytes(attempts[which % len(attempts)].raw))

    @rule()
    def operator(self) -> None:
        if halts.current(self.bed.name) is not None:
            self.bed.resume()
            self.bed.deep.clear()

    @invariant()
    def holds(self) -> None:
        if not self.bed.deep and LogBatch.objects.exists():
            self.bed.assert_true()

    def teardown(self) -> None:
        """Quiet returns: everything comes to its end, and the newest head is anchored."""
        self.bed.base_fee(GWEI)
        for _ in range(3):
            self.go(with_log=False)
            self.operator()
            self.settle()
        if not LogBatch.objects.exists():
            return
        for _ in range(2):
            self.go(with_log=True)
            self.settle()
        assert halts.current(self.bed.name) is None
        assert set(self.bed.states()) <= {State.FINAL}
        self.assert_each_batch_is_anchored_once()

    def settle(self) -> None:
        for _ in range(8):
            self.bed.base_fee(GWEI)
            self.go(with_log=False)

    def assert_each_batch_is_anchored_once(self) -> None:
        self.bed.assert_true()
        events = self.bed.events()
        stream = log_stream(publishing.latest().origin)
        rows = ChainAnchor.objects.filter(stream=stream).order_by("sequence")
        assert events == [(row.sequence, row.size, bytes(row.root)) for row in rows]
        sizes = [size for _, size, _ in events]
        assert sizes == sorted(set(sizes))
        newest = LogBatch.objects.latest("sequence")
        assert sizes[-1] == newest.size


def test_each_head_is_anchored_once_whatever_happens(bed: Bed) -> None:
    Machine.bed = bed
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=12, stateful_step_count=25, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
