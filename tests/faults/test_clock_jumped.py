"""The machine's clock put forward and back: nothing ends too early, and nothing is stuck."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import AccessToken
from core import clock, effects, ids
from core.ids import new_random
from core.models import Effect, EffectState
from governance.models import ConsentRecord
from tests.functional.api.cast import Cast, Study, reference
from tests.functional.api.cast import cast as make_cast
from tests.functional.api.test_requests import released
from vault.domain.gate import Reason
from vault.models import GateLease, KeyGrant, PendingEntry, Shredding
from vault.services import gate, gatekeeper, shredding

pytestmark = [pytest.mark.fault, pytest.mark.long]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Machine:
    """A time of day that can be put forward and back, and a count of seconds that cannot."""

    def __init__(self) -> None:
        self._ahead, self._passed = timedelta(0), timedelta(0)

    def wall(self) -> datetime:
        return clock.wall() + self._ahead + self._passed

    def monotonic(self) -> float:
        return time.monotonic() + self._passed.total_seconds()

    def passes(self, by: timedelta) -> None:
        """Time goes by."""
        self._passed += by

    def jumps(self, by: timedelta) -> None:
        """The clock is put forward, or back."""
        self._ahead += by


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """This process's clock goes by it."""
    made = Machine()
    monkeypatch.setattr(clock, "_steady", clock.SteadyClock(made.wall, made.monotonic))
    return made


@pytest.fixture
def cast(
    transactional_db: None, settings: Settings, tmp_path: Path, machine: Machine
) -> Iterator[Cast]:
    settings.STATIC_ROOT = str(tmp_path)
    with make_cast(tmp_path) as made:
        yield made


@pytest.fixture
def as_eraser(settings: Settings) -> timedelta:
    """This process follows a jump ahead as late as an eraser; how long a drain takes."""
    drain = shredding.drain_time()
    settings.LETHE_CLOCK_SETTLE = drain + timedelta(seconds=5)
    return drain


def sweep() -> None:
    gatekeeper.tend(now=clock.now())
    for queue in ("shred", "attest", "attest"):
        effects.sweep(queue=queue, now=clock.now())


def states() -> set[str]:
    return set(Shredding.objects.values_list("state", flat=True))


class TestDrain:
    @pytest.mark.parametrize("by", [HOUR, DAY], ids=["hour", "day"])
    def test_is_outwaited_however_far_the_clock_jumps_ahead(
        self, study: Study, machine: Machine, as_eraser: timedelta, by: timedelta
    ) -> None:
        released(study.cast, study.patient("ada"))
        machine.passes(as_eraser / 2)
        machine.jumps(by)

        for _ in range(3):
            sweep()
            machine.passes(as_eraser / 8)
        assert states() == {"fenced"}
        machine.passes(as_eraser)
        sweep()
        assert states() == {"verified"}

    def test_of_whoever_is_fenced_after_the_jump_is_outwaited_too(
        self, study: Study, machine: Machine, as_eraser: timedelta, settings: Settings
    ) -> None:
        """The web process follows at once: what it fences ends by the new time."""
        settle = settings.LETHE_CLOCK_SETTLE
        ada = study.patient("ada")
        machine.jumps(HOUR)
        clock.now()
        machine.passes(settle - timedelta(seconds=10))
        with_web = clock.SteadyClock(machine.wall, machine.monotonic)
        eraser, clock._steady = clock._steady, with_web
        AccessToken.objects.update(expires=clock.now() + HOUR)
        released(study.cast, ada)
        clock._steady = eraser

        machine.passes(timedelta(seconds=20))
        sweep()
        assert states() == {"fenced"}
        machine.passes(as_eraser)
        sweep()
        assert states() == {"verified"}

    def test_takes_longer_after_a_step_back_and_ends(
        self, study: Study, machine: Machine, as_eraser: timedelta
    ) -> None:
        released(study.cast, study.patient("ada"))
        machine.jumps(-HOUR)

        machine.passes(as_eraser)
        sweep()
        assert states() == {"fenced"}
        machine.passes(HOUR)
        sweep()
        assert states() == {"verified"}
        assert not Effect.objects.exclude(failures=0).exists()


class TestEffect:
    @pytest.mark.parametrize("by", [HOUR, DAY, 400 * DAY], ids=["hour", "day", "year"])
    def test_of_a_dead_worker_is_free_again_after_a_step_back(
        self, study: Study, machine: Machine, by: timedelta
    ) -> None:
        released(study.cast, study.patient("ada"))
        machine.passes(timedelta(minutes=10))
        machine.jumps(by)
        Effect.objects.filter(kind="vault.shred").update(
            state=EffectState.CLAIMED,
            lease_token=new_random(),
            lease_until=clock.now() + timedelta(seconds=60),
        )
        machine.jumps(-by)

        sweep()

        assert states() == {"verified"}

    def test_of_a_living_worker_is_left_alone(self, study: Study, machine: Machine) -> None:
        """A clock that is some seconds behind that of the machine which claimed."""
        released(study.cast, study.patient("ada"))
        machine.passes(timedelta(minutes=10))
        Effect.objects.filter(kind="vault.shred").update(
            state=EffectState.CLAIMED,
            lease_token=new_random(),
            lease_until=clock.now() + timedelta(seconds=60),
        )
        machine.jumps(timedelta(seconds=-30))

        sweep()

        assert states() == {"fenced"}


class TestDecision:
    @pytest.mark.parametrize("by", [-HOUR, -DAY, timedelta(milliseconds=-1)],
                             ids=["hour", "day", "millisecond"])  # fmt: skip
    def test_withdraws_on_a_clock_that_was_put_back(
        self, study: Study, machine: Machine, by: timedelta
    ) -> None:
        subject = study.patient("ada")
        given = ConsentRecord.objects.get()
        machine.jumps(by)
        AccessToken.objects.update(created=clock.now())

        assert study.consent(subject, "withdrawn").status_code == 201

        assert not KeyGrant.objects.filter(
            subject=ids.parse(ids.PublicId.SUBJECT, subject)
        ).exists()
        assert study.read(study.lease())[-1]["records"] == 0
        (entry,) = PendingEntry.objects.filter(kind="revocation")
        withdrawn = ConsentRecord.objects.exclude(id=given.id).get()
        assert withdrawn.decided_at > given.decided_at
        assert entry.body["decided_at"] > given.decided_at.isoformat()[:26]
        assert gatekeeper.tend(now=clock.now()) is Reason.IN_STEP
        assert study.consent(subject).json()["access"] == "granted"
        assert study.read(study.lease())[-1]["records"] == 1


class TestGate:
    @pytest.mark.parametrize("by", [HOUR, DAY, -HOUR], ids=["hour", "day", "back"])
    def test_goes_by_the_database_s_clock(
        self, study: Study, machine: Machine, by: timedelta
    ) -> None:
        gatekeeper.tend(now=clock.now())
        machine.jumps(by)

        assert gate.state().is_open
        assert gatekeeper.tend(now=clock.now()) is Reason.IN_STEP
        assert gate.state().is_open

    def test_closes_when_the_database_s_clock_is_put_back_until_the_eraser_looks(
        self, study: Study
    ) -> None:
        """The lease then ends an hour later than any lease that could be given."""
        GateLease.objects.update(until=clock.wall() + HOUR + timedelta(minutes=15))

        assert gate.state().reason is Reason.LEASE_EXPIRED
        assert gatekeeper.tend(now=clock.now()) is Reason.IN_STEP
        assert gate.state().is_open


class TestIdempotency:
    @pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["ahead", "back"])
    def test_answers_a_repeat_as_before(self, cast: Cast, machine: Machine, by: timedelta) -> None:
        source, body = cast.clinic.source(), {"references": [reference("ada")]}
        first = source.post("/subjects", body, Idempotency_Key="k1")
        machine.jumps(by)
        AccessToken.objects.update(expires=clock.now() + HOUR)

        again = source.post("/subjects", body, Idempotency_Key="k1")

        assert (again.status_code, again.json()) == (first.status_code, first.json())


class TestToken:
    def test_ends_early_when_the_clock_jumps_ahead(self, study: Study, machine: Machine) -> None:
        subject, source = study.patient("ada"), study.cast.clinic.source()
        machine.jumps(2 * HOUR)

        answer: Any = source.get(f"/subjects/{subject}/records")

        assert (answer.status_code, answer.json()["code"]) == (401, "not-authenticated")
