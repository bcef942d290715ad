import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from core import effects
from core.actors import process_actor
from core.effects import Again, Claim, Done
from core.errors import Conflict, IntegrityViolation, Unavailable
from core.models import AuditEvent, ClockOffset, Effect, EffectState
from core.unit_of_work import TransactionMisuse, unit_of_work

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
LEASE = timedelta(seconds=60)


class Script:
    """What the handler does at each of its runs, and the claims it was given."""

    def __init__(self) -> None:
        self.claims: list[Claim] = []
        self.acts: list[Callable[[Claim], Done | Again]] = []

    def __call__(self, claim: Claim) -> Done | Again:
        self.claims.append(claim)
        return self.acts.pop(0)(claim) if self.acts else Done()


script = Script()


def handler(claim: Claim) -> Done | Again:
    return script(claim)


def raising(error: BaseException) -> Callable[[Claim], Done | Again]:
    def act(_claim: Claim) -> Done | Again:
        raise error

    return act


@pytest.fixture(autouse=True)
def bound(settings: Settings) -> Iterator[None]:
    settings.LETHE_EFFECTS = {"test.act": (f"{__name__}.handler", "default")}
    settings.LETHE_EFFECT_LEASE = LEASE
    settings.LETHE_EFFECT_ATTEMPTS = 3
    script.claims, script.acts = [], []
    yield
    script.acts = []


def enqueue(**more: Any) -> Effect:
    with unit_of_work():
        return effects.enqueue(kind="test.act", key="one", payload={"id": "7"}, now=NOON, **more)


def state_of(effect: Effect) -> str:
    effect.refresh_from_db()
    return effect.state


class TestEnqueue:
    def test_refuses_outside_a_unit_of_work(self) -> None:
        with pytest.raises(TransactionMisuse):
            effects.enqueue(kind="test.act", key="one", payload={}, now=NOON)

    def test_returns_the_first_row_for_the_same_kind_and_key(self) -> None:
        assert enqueue().id == enqueue().id

    def test_leaves_nothing_when_the_intent_is_rolled_back(self) -> None:
        def intend_and_fail() -> None:
            with unit_of_work():
                effects.enqueue(kind="test.act", key="one", payload={}, now=NOON)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            intend_and_fail()

        assert not Effect.objects.exists()

    def test_refuses_a_kind_without_a_handler(self) -> None:
        with pytest.raises(KeyError), unit_of_work():
            effects.enqueue(kind="test.unknown", key="one", payload={}, now=NOON)


class TestRun:
    def test_acts_with_no_transaction_open_and_settles(self) -> None:
        effect = enqueue()
        script.acts = [lambda _claim: Done(outcome={"open": connection.in_atomic_block})]

        state = effects.run(effect_id=effect.id, now=NOON)

        effect.refresh_from_db()
        assert (state, effect.outcome) == (EffectState.DONE, {"open": False})
        assert script.claims[0].payload == {"id": "7"}
        assert script.claims[0].attempt == 1

    def test_refuses_to_act_inside_a_transaction(self) -> None:
        effect = enqueue()

        with pytest.raises(TransactionMisuse), unit_of_work():
            effects.run(effect_id=effect.id, now=NOON)

    def test_does_nothing_before_the_effect_is_due(self) -> None:
        effect = enqueue(not_before=NOON + LEASE)

        assert effects.run(effect_id=effect.id, now=NOON) == EffectState.PENDING
        assert script.claims == []

    def test_never_acts_again_once_done(self) -> None:
        effect = enqueue()
        effects.run(effect_id=effect.id, now=NOON)

        effects.run(effect_id=effect.id, now=NOON + LEASE * 9)

        assert len(script.claims) == 1

    def test_waits_without_counting_the_attempt_when_told_again(self) -> None:
        effect = enqueue()
        later = NOON + timedelta(hours=5)
        script.acts = [lambda _claim: Again(later, "draining")]

        effects.run(effect_id=effect.id, now=NOON)
        effects.run(effect_id=effect.id, now=later - timedelta(seconds=1))
        effects.run(effect_id=effect.id, now=later)

        assert [claim.attempt for claim in script.claims] == [1, 1]
        assert state_of(effect) == EffectState.DONE


class TestFailure:
    def test_waits_out_an_outage_however_long(self) -> None:
        effect = enqueue()
        script.acts = [raising(Unavailable()) for _ in range(8)]

        for hour in range(9):
            effects.run(effect_id=effect.id, now=NOON + timedelta(hours=hour))

        assert state_of(effect) == EffectState.DONE
        assert [claim.attempt for claim in script.claims] == list(range(1, 10))

    def test_backs_off_before_the_next_attempt(self) -> None:
        effect = enqueue()
        script.acts = [raising(Unavailable())]

        effects.run(effect_id=effect.id, now=NOON)

        effect.refresh_from_db()
        assert NOON + timedelta(seconds=1) <= effect.due_at <= NOON + timedelta(seconds=3)
        assert effect.last_error == "unavailable"

    @pytest.mark.parametrize("error", [Conflict(), ValueError("Ada")], ids=["ours", "foreign"])
    def test_goes_to_an_operator_after_the_last_attempt(self, error: Exception) -> None:
        effect = enqueue()
        script.acts = [raising(error) for _ in range(3)]

        for hour in range(6):
            effects.run(effect_id=effect.id, now=NOON + timedelta(hours=hour))

        assert state_of(effect) == EffectState.NEEDS_OPERATOR
        assert len(script.claims) == 3
        assert effect.last_error in {"conflict", "internal-error"}
        assert effect.outcome is None

    def test_goes_to_an_operator_at_once_when_integrity_is_violated(self) -> None:
        effect = enqueue()
        script.acts = [raising(IntegrityViolation())]

        effects.run(effect_id=effect.id, now=NOON)

        assert state_of(effect) == EffectState.NEEDS_OPERATOR
        assert effect.last_error == "integrity-violation"

    def test_undoes_a_settle_that_fails_and_runs_again(self) -> None:
        effect = enqueue()

        def settle() -> None:
            ClockOffset.objects.create(ahead=timedelta(1))
            raise ValueError

        script.acts = [lambda _claim: Done(settle=settle)]
        effects.run(effect_id=effect.id, now=NOON)
        assert not ClockOffset.objects.exists()

        effects.run(effect_id=effect.id, now=NOON + timedelta(hours=1))

        assert state_of(effect) == EffectState.DONE


class Crash(BaseException):
    """Stands for the end of the process: nothing of ours catches it."""


class TestCrash:
    def crash(self, effect: Effect, act: Callable[[Claim], Done | Again]) -> None:
        script.acts = [act]
        with pytest.raises(Crash):
            effects.run(effect_id=effect.id, now=NOON)

    def test_while_acting_leads_to_another_run_after_the_lease(self) -> None:
        effect = enqueue()
        self.crash(effect, raising(Crash()))

        effects.run(effect_id=effect.id, now=NOON + LEASE / 2)
        assert len(script.claims) == 1
        effects.run(effect_id=effect.id, now=NOON + LEASE)

        assert state_of(effect) == EffectState.DONE
        assert script.claims[1].attempt == 2

    def test_while_settling_leaves_neither_half(self) -> None:
        effect = enqueue()

        def settle() -> None:
            ClockOffset.objects.create(ahead=timedelta(1))
            raise Crash

        self.crash(effect, lambda _claim: Done(settle=settle))

        assert state_of(effect) == EffectState.CLAIMED
        assert not ClockOffset.objects.exists()
        effects.sweep(queue="default", now=NOON + LEASE)
        assert state_of(effect) == EffectState.DONE

    def test_each_time_reaches_an_operator(self) -> None:
        effect = enqueue()
        for run in range(3):
            script.acts = [raising(Crash())]
            with pytest.raises(Crash):
                effects.run(effect_id=effect.id, now=NOON + run * LEASE)

        effects.run(effect_id=effect.id, now=NOON + 3 * LEASE)

        assert state_of(effect) == EffectState.NEEDS_OPERATOR
        assert effect.last_error == "lease-expired"


class TestTwoWorkers:
    def test_never_both_settle(self) -> None:
        effect = enqueue()
        settled: list[str] = []

        def slow(_claim: Claim) -> Done:
            # While this one acts, its lease runs out and another takes over and settles.
            effects.run(effect_id=effect.id, now=NOON + LEASE)
            return Done(settle=lambda: settled.append("slow"))

        script.acts = [slow, lambda _claim: Done(settle=lambda: settled.append("quick"))]
        effects.run(effect_id=effect.id, now=NOON)

        assert settled == ["quick"]
        assert state_of(effect) == EffectState.DONE

    def test_share_the_effects_without_running_one_twice(self) -> None:
        with unit_of_work():
            for number in range(40):
                effects.enqueue(kind="test.act", key=str(number), payload={}, now=NOON)
        started = threading.Barrier(4)
        counts: list[int] = []

        def work() -> None:
            started.wait()
            counts.append(effects.sweep(queue="default", now=NOON))
            connection.close()

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

        assert sum(counts) == len(script.claims) == 40
        assert len({claim.key for claim in script.claims}) == 40
        assert not Effect.objects.exclude(state=EffectState.DONE).exists()


class TestSweep:
    def test_runs_only_its_queue(self) -> None:
        effect = enqueue()

        assert effects.sweep(queue="shred", now=NOON) == 0
        assert state_of(effect) == EffectState.PENDING
        assert effects.sweep(queue="default", now=NOON) == 1


class TestResume:
    def test_puts_a_stuck_effect_back_and_records_who(self) -> None:
        effect = enqueue()
        script.acts = [raising(IntegrityViolation())]
        effects.run(effect_id=effect.id, now=NOON)

        effects.resume(effect_id=effect.id, actor=process_actor("test"), now=NOON)

        assert effects.run(effect_id=effect.id, now=NOON) == EffectState.DONE
        event = AuditEvent.objects.get(action="core.effect.resumed")
        assert event.details["code"] == "integrity-violation"

    def test_refuses_an_effect_that_is_not_stuck(self) -> None:
        effect = enqueue()

        with pytest.raises(effects.EffectNotStuck):
            effects.resume(effect_id=effect.id, actor=process_actor("test"), now=NOON)
