import threading
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from core import idempotency
from core.idempotency import (
    IdempotencyKeyReused,
    MalformedKey,
    Replay,
    StillRunning,
    TakenOver,
    Turn,
)
from core.models import IdempotencyRecord
from core.unit_of_work import TransactionMisuse, unit_of_work

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
ADA = "ada.lovelace@example.org"


LATER = NOON + timedelta(minutes=2)  # the first process is taken for gone


def begin(*, body: bytes = b"{}", key: str = "k1", now: datetime = NOON) -> Replay | Turn:
    mac = idempotency.body_mac(body)
    return idempotency.begin(caller_id="cli_1", key=key, body_mac=mac, now=now)


def turn(*, now: datetime = NOON) -> Turn:
    begun = begin(now=now)
    assert isinstance(begun, Turn)
    return begun


def finish(of: Turn | None = None, *, resource_id: str = "sub_1") -> None:
    idempotency.finish(of or turn(), status=201, resource_id=resource_id)


def wait_for_a_waiter() -> None:
    """Return once another connection waits for a lock of this database."""
    end = time.monotonic() + 20
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with connection.cursor() as cursor:
        waiting = 0
        while not waiting and time.monotonic() < end:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(query)
            (waiting,) = cursor.fetchone()
    assert waiting


def guarded(*, now: datetime = NOON) -> AbstractContextManager[Replay | Turn]:
    mac = idempotency.body_mac(b"{}")
    return idempotency.guard(caller_id="cli_1", key="k1", body_mac=mac, now=now, status=201)


@pytest.mark.django_db
class TestBegin:
    def test_lets_the_first_request_act(self) -> None:
        assert isinstance(begin(), Turn)

    def test_replays_what_the_first_request_came_to(self) -> None:
        finish()

        assert begin() == Replay(status=201, resource_id="sub_1")

    def test_refuses_the_same_key_with_another_body(self) -> None:
        finish()

        with pytest.raises(IdempotencyKeyReused):
            begin(body=b'{"a":1}')

    def test_refuses_a_repeat_while_the_first_still_runs(self) -> None:
        begin()

        with pytest.raises(StillRunning):
            begin()

    def test_lets_a_repeat_act_when_the_first_process_is_gone(self) -> None:
        begin()

        assert isinstance(begin(now=LATER), Turn)

    def test_lets_a_repeat_act_at_once_after_abandon(self) -> None:
        idempotency.abandon(turn(), now=NOON)

        assert isinstance(begin(), Turn)

    def test_forgets_after_a_day(self) -> None:
        finish()

        assert begin(body=b"other", now=NOON + timedelta(hours=24)) != Replay(201, "sub_1")

    @pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "é"], ids=ascii)
    def test_refuses_a_malformed_key(self, key: str) -> None:
        with pytest.raises(MalformedKey):
            begin(key=key)

    def test_keeps_neither_key_nor_body(self) -> None:
        begin(key=ADA, body=ADA.encode())

        row = IdempotencyRecord.objects.get()
        assert ADA not in str(vars(row))
        assert ADA.encode() not in bytes(row.key_mac) + bytes(row.body_mac)


def act_and_break_off() -> None:
    with guarded():
        with unit_of_work():
            idempotency.settle(resource_id="sub_1")
        raise ZeroDivisionError


def break_off_while_acting() -> None:
    with guarded(), unit_of_work():
        idempotency.settle(resource_id="sub_1")
        raise ZeroDivisionError


def act_too_late() -> None:
    with guarded():
        turn(now=LATER)
        with unit_of_work():
            idempotency.settle(resource_id="late")


@pytest.mark.django_db
class TestSettle:
    def test_keeps_the_outcome_with_the_act(self) -> None:
        with guarded(), unit_of_work():
            idempotency.settle(resource_id="sub_1")

        assert begin() == Replay(status=201, resource_id="sub_1")

    def test_keeps_another_status_that_the_act_names(self) -> None:
        with guarded(), unit_of_work():
            idempotency.settle(resource_id="rec_1", status=200)

        assert begin() == Replay(status=200, resource_id="rec_1")

    def test_outlives_a_failure_after_the_act(self) -> None:
        with pytest.raises(ZeroDivisionError):
            act_and_break_off()

        assert begin() == Replay(status=201, resource_id="sub_1")

    def test_is_undone_with_the_act(self) -> None:
        with pytest.raises(ZeroDivisionError):
            break_off_while_acting()

        assert isinstance(begin(), Turn)

    def test_fails_the_act_once_a_repeat_has_taken_over(self) -> None:
        with pytest.raises(TakenOver):
            act_too_late()

        assert IdempotencyRecord.objects.get().status is None

    def test_does_nothing_outside_a_request_with_a_key(self) -> None:
        with guarded():
            pass
        with unit_of_work():
            idempotency.settle(resource_id="sub_1")

        assert IdempotencyRecord.objects.get().status is None

    def test_refuses_to_be_called_outside_a_unit_of_work(self) -> None:
        with guarded(), pytest.raises(TransactionMisuse):
            idempotency.settle(resource_id="sub_1")


@pytest.mark.django_db
class TestTakeOver:
    def test_leaves_the_first_nothing_to_abandon(self) -> None:
        first = turn()
        turn(now=LATER)

        idempotency.abandon(first, now=LATER)

        with pytest.raises(StillRunning):
            begin(now=LATER)

    def test_leaves_the_first_nothing_to_finish(self) -> None:
        first = turn()
        second = turn(now=LATER)

        finish(first, resource_id="first")
        finish(second, resource_id="second")

        assert begin(now=LATER) == Replay(status=201, resource_id="second")

    def test_does_not_come_after_the_act_was_settled(self) -> None:
        with guarded(), unit_of_work():
            idempotency.settle(resource_id="sub_1")

        assert begin(now=LATER) == Replay(status=201, resource_id="sub_1")


@pytest.mark.django_db
class TestPurge:
    def test_deletes_only_what_has_expired(self) -> None:
        begin()

        assert idempotency.purge(now=NOON + timedelta(hours=23)) == 0
        assert idempotency.purge(now=NOON + timedelta(hours=24)) == 1


@pytest.mark.django_db(transaction=True)
class TestRace:
    def test_with_a_repeat_that_takes_over_lets_only_one_act_stand(self) -> None:
        """The repeat comes while the first has settled and not yet committed."""
        settled = threading.Event()
        outcomes: list[Replay | Turn] = []

        def repeat() -> None:
            settled.wait()
            outcomes.append(begin(now=LATER))
            connection.close()

        thread = threading.Thread(target=repeat)
        thread.start()
        with guarded(), unit_of_work():
            idempotency.settle(resource_id="sub_1")
            settled.set()
            wait_for_a_waiter()
        thread.join()

        assert outcomes == [Replay(status=201, resource_id="sub_1")]

    def test_lets_exactly_one_of_many_act(self) -> None:
        start = threading.Barrier(6)
        outcomes: list[Replay | Turn | str] = []

        def request() -> None:
            start.wait()
            try:
                outcomes.append(begin())
            except StillRunning as error:
                outcomes.append(error.code)
            connection.close()

        threads = [threading.Thread(target=request) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sum(isinstance(outcome, Turn) for outcome in outcomes) == 1
        assert outcomes.count("idempotency-in-progress") == 5
