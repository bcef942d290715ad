from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.domain.deadlines import due_on

DAYS = st.dates(date(2000, 1, 1), date(2100, 1, 1))


class TestDueOn:
    @pytest.mark.parametrize(
        ("received", "months", "due"),
        [
            (date(2026, 8, 31), 1, date(2026, 9, 30)),
            (date(2026, 8, 31), 3, date(2026, 11, 30)),
            (date(2026, 1, 31), 1, date(2026, 3, 2)),
            (date(2026, 1, 31), 3, date(2026, 4, 30)),
            (date(2028, 1, 31), 1, date(2028, 2, 29)),
            (date(2026, 12, 31), 1, date(2027, 2, 1)),
            (date(2026, 12, 31), 3, date(2027, 3, 31)),
            (date(2026, 11, 30), 1, date(2026, 12, 30)),
            (date(2026, 11, 30), 3, date(2027, 3, 1)),
            (date(2026, 11, 25), 3, date(2027, 2, 25)),
            (date(2026, 3, 5), 3, date(2026, 6, 5)),
        ],
    )
    def test_follows_the_worked_dates(self, received: date, months: int, due: date) -> None:
        assert due_on(received, months=months) == due

    @given(DAYS)
    def test_is_a_working_day_in_the_next_month_or_two(self, received: date) -> None:
        due = due_on(received)

        assert due.weekday() < 5
        assert timedelta(days=28) <= due - received <= timedelta(days=33)

    @given(DAYS)
    def test_never_comes_earlier_for_a_later_receipt(self, received: date) -> None:
        assert due_on(received) <= due_on(received + timedelta(days=1))
