"""The clock of a process while the machine's is put forward and back."""

from datetime import UTC, datetime, timedelta

import pytest

from core.clock import SteadyClock

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SETTLE = timedelta(seconds=100)
HOUR = timedelta(hours=1)


class Machine:
    """A time of day that may jump, and a count of seconds that does not."""

    def __init__(self) -> None:
        self.wall, self.ticks = NOON, 1000.0
        self.clock = SteadyClock(lambda: self.wall, lambda: self.ticks)

    def passes(self, seconds: float) -> datetime:
        self.wall += timedelta(seconds=seconds)
        self.ticks += seconds
        return self.now()

    def jumps(self, by: timedelta) -> datetime:
        self.wall += by
        return self.now()

    def now(self) -> datetime:
        return self.clock.now(settle=SETTLE)


class TestSteadyClock:
    def test_goes_with_the_machine(self) -> None:
        assert Machine().passes(5000) == NOON + timedelta(seconds=5000)

    @pytest.mark.parametrize("by", [HOUR, timedelta(days=400), timedelta(seconds=2)])
    def test_follows_a_jump_ahead_once_it_has_lasted(self, by: timedelta) -> None:
        machine = Machine()

        assert machine.jumps(by) == NOON
        assert machine.passes(99) == NOON + timedelta(seconds=99)
        assert machine.passes(1) == NOON + by + timedelta(seconds=100)
        assert machine.passes(1) == NOON + by + timedelta(seconds=101)

    def test_never_follows_one_that_was_put_right(self) -> None:
        machine = Machine()
        machine.jumps(HOUR)
        machine.passes(50)

        assert machine.jumps(-HOUR) == NOON + timedelta(seconds=50)
        assert machine.jumps(HOUR) == NOON + timedelta(seconds=50)
        assert machine.passes(99) == NOON + timedelta(seconds=149)

    def test_follows_a_step_back_at_once(self) -> None:
        machine = Machine()

        assert machine.jumps(-HOUR) == NOON - HOUR
        assert machine.passes(10) == NOON - HOUR + timedelta(seconds=10)

    def test_follows_what_is_no_jump(self) -> None:
        machine = Machine()

        assert machine.jumps(timedelta(seconds=0.5)) == NOON + timedelta(seconds=0.5)

    def test_waits_anew_after_a_second_jump(self) -> None:
        machine = Machine()
        machine.jumps(HOUR)
        machine.passes(60)

        assert machine.jumps(HOUR) == NOON + timedelta(seconds=60)
        assert machine.passes(99) == NOON + timedelta(seconds=159)
        assert machine.passes(1) == NOON + 2 * HOUR + timedelta(seconds=160)

    def test_follows_at_once_where_nothing_is_outwaited(self) -> None:
        machine = Machine()
        machine.wall += HOUR

        assert machine.clock.now(settle=timedelta(0)) == NOON + HOUR
