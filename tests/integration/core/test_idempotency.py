import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from core import idempotency
from core.idempotency import IdempotencyKeyReused, MalformedKey, Replay, StillRunning
from core.models import IdempotencyRecord

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
ADA = "ada.lovelace@example.org"


def begin(*, body: bytes = b"{}", key: str = "k1", now: datetime = NOON) -> Replay | None:
    mac = idempotency.body_mac(body)
    return idempotency.begin(caller_id="cli_1", key=key, body_mac=mac, now=now)


def finish() -> None:
    idempotency.finish(caller_id="cli_1", key="k1", status=201, resource_id="sub_1")


@pytest.mark.django_db
class TestBegin:
    def test_lets_the_first_request_act(self) -> None:
        assert begin() is None

    def test_replays_what_the_first_request_came_to(self) -> None:
        begin()
        finish()

        assert begin() == Replay(status=201, resource_id="sub_1")

    def test_refuses_the_same_key_with_another_body(self) -> None:
        begin()
        finish()

        with pytest.raises(IdempotencyKeyReused):
            begin(body=b'{"a":1}')

    def test_refuses_a_repeat_while_the_first_still_runs(self) -> None:
        begin()

        with pytest.raises(StillRunning):
            begin()

    def test_lets_a_repeat_act_when_the_first_process_is_gone(self) -> None:
        begin()

        assert begin(now=NOON + timedelta(minutes=2)) is None

    def test_lets_a_repeat_act_at_once_after_abandon(self) -> None:
        begin()
        idempotency.abandon(caller_id="cli_1", key="k1", now=NOON)

        assert begin() is None

    def test_forgets_after_a_day(self) -> None:
        begin()
        finish()

        assert begin(body=b"other", now=NOON + timedelta(hours=24)) is None

    @pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "é"], ids=ascii)
    def test_refuses_a_malformed_key(self, key: str) -> None:
        with pytest.raises(MalformedKey):
            begin(key=key)

    def test_keeps_neither_key_nor_body(self) -> None:
        begin(key=ADA, body=ADA.encode())

        row = IdempotencyRecord.objects.get()
        assert ADA not in str(vars(row))
        assert ADA.encode() not in bytes(row.key_mac) + bytes(row.body_mac)


@pytest.mark.django_db
class TestPurge:
    def test_deletes_only_what_has_expired(self) -> None:
        begin()

        assert idempotency.purge(now=NOON + timedelta(hours=23)) == 0
        assert idempotency.purge(now=NOON + timedelta(hours=24)) == 1


@pytest.mark.django_db(transaction=True)
class TestRace:
    def test_lets_exactly_one_of_many_act(self) -> None:
        start = threading.Barrier(6)
        outcomes: list[Replay | str | None] = []

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

        assert outcomes.count(None) == 1
        assert outcomes.count("idempotency-in-progress") == 5
