from datetime import timedelta

import pytest
from django.db import OperationalError, connections, transaction

from core.models import ClockOffset
from core.unit_of_work import (
    TransactionMisuse,
    lock_timeout,
    no_open_transaction,
    requires_unit_of_work,
    unit_of_work,
)


@requires_unit_of_work
def write() -> str:
    return "written"


@no_open_transaction
def leave() -> str:
    return "left"


@pytest.mark.django_db
class TestMarkersInsideATestCase:
    def test_count_the_test_cases_own_transaction_as_none(self) -> None:
        assert leave() == "left"
        with pytest.raises(TransactionMisuse):
            write()
        with unit_of_work():
            assert write() == "written"


@pytest.mark.django_db(transaction=True)
class TestMarkers:
    def test_refuse_a_call_outside_in_the_open_with_the_functions_name(self) -> None:
        assert leave() == "left"
        with pytest.raises(TransactionMisuse, match="write"):
            write()

    def test_refuse_to_leave_the_process_inside_a_unit_of_work(self) -> None:
        with unit_of_work(), pytest.raises(TransactionMisuse, match="leave"):
            leave()

    def test_refuse_to_leave_the_process_inside_a_plain_transaction(self) -> None:
        with transaction.atomic(), pytest.raises(TransactionMisuse):
            leave()

    def test_refuse_a_unit_of_work_inside_another(self) -> None:
        with unit_of_work(), pytest.raises(TransactionMisuse), unit_of_work():
            pass

    def test_roll_back_everything_when_the_block_raises(self) -> None:
        def write_and_fail() -> None:
            with unit_of_work():
                ClockOffset.objects.create(ahead=timedelta(1))
                raise RuntimeError

        with pytest.raises(RuntimeError):
            write_and_fail()

        assert not ClockOffset.objects.exists()


def read_offset_at_once() -> bool:
    with unit_of_work():
        lock_timeout(0.05)
        return ClockOffset.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestLockTimeout:
    def test_gives_up_on_a_lock_that_another_holds(self) -> None:
        holder = connections["owner"]
        with holder.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("LOCK core_clockoffset IN ACCESS EXCLUSIVE MODE")
            try:
                with pytest.raises(OperationalError):
                    read_offset_at_once()
            finally:
                cursor.execute("ROLLBACK")
