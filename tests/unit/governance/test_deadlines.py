from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.domain.deadlines import due_on

DAYS = st.dates(date(2000, 1, 1), date(2100, 1, 1))
_HOLIDAYS = (
    date(2026, 4, 3),
    date(2026, 4, 6),
    date(2026, 5, 1),
    date(2026, 12, 25),
    date(2026, 12, 26),
    date(2028, 5, 1),
)


def is_holiday(day: date) -> bool:
    """Good Friday, Easter Monday, 1 May and both days of Christmas."""
    return day in _HOLIDAYS


def every_year(day: date) -> bool:
    """Holidays with a fixed date, for years that no table names."""
    return (day.month, day.day) in {(1, 1), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31)}


class TestDueOn:
    @pytest.mark.parametrize(
        ("received", "months", "due"),
        [
            (date(2026, 3, 5), 1, date(2026, 4, 7)),
            (date(2026, 3, 5), 3, date(2026, 6, 5)),
            (date(2026, 8, 31), 1, date(2026, 9, 30)),
            (date(2026, 8, 31), 3, date(2026, 11, 30)),
            (date(2026, 1, 31), 1, date(2026, 3, 2)),
            (date(2026, 1, 31), 3, date(2026, 4, 30)),
            (date(2028, 1, 31), 1, date(2028, 2, 29)),
            (date(2028, 1, 31), 3, date(2028, 5, 2)),
            (date(2026, 11, 25), 1, date(2026, 12, 28)),
            (date(2026, 11, 25), 3, date(2027, 2, 25)),
            (date(2026, 4, 1), 1, date(2026, 5, 4)),
            (date(2026, 4, 1), 3, date(2026, 7, 1)),
            (date(2026, 12, 31), 1, date(2027, 2, 1)),
            (date(2026, 12, 31), 3, date(2027, 3, 31)),
            (date(2026, 11, 30), 1, date(2026, 12, 30)),
            (date(2026, 11, 30), 3, date(2027, 3, 1)),
        ],
    )
    def test_follows_the_worked_dates(self, received: date, months: int, due: date) -> None:
        assert due_on(received, is_holiday=is_holiday, months=months) == due

    @given(DAYS)
    def test_is_a_working_day_in_the_next_month_or_two(self, received: date) -> None:
        due = due_on(received, is_holiday=every_year)

        assert due.weekday() < 5
        assert not every_year(due)
        assert timedelta(days=28) <= due - received <= timedelta(days=36)

    @given(DAYS)
    def test_never_comes_earlier_for_a_later_receipt(self, received: date) -> None:
        next_day = received + timedelta(days=1)

        assert due_on(received, is_holiday=every_year) <= due_on(next_day, is_holiday=every_year)

    @given(DAYS)
    def test_is_never_earlier_for_a_holiday(self, received: date) -> None:
        without = due_on(received, is_holiday=lambda _day: False)

        assert due_on(received, is_holiday=every_year) >= without
