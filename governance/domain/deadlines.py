"""Deadlines in calendar months (Article 12(3) GDPR; Regulation 1182/71, Articles 2 and 3)."""

from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeAlias

#: Whether a day is a public holiday where the controller acts.
IsHoliday: TypeAlias = Callable[[date], bool]
_SATURDAY = 5


def due_on(received_on: date, *, is_holiday: IsHoliday, months: int = 1) -> date:
    """The last day to answer a request that arrived on `received_on`, local to the controller.

    The day of receipt does not count; the period ends with the same-numbered day of the later
    month, or its last day when there is no such day; never 30 days. An end on a public holiday,
    Sunday or Saturday moves to the next working day (Article 3(4)). An extension counts three
    months from the receipt, never from a moved date.
    """
    return _working_day(_months_later(received_on, months), is_holiday)


def _months_later(day: date, months: int) -> date:
    index = day.month - 1 + months
    year, month = day.year + index // 12, index % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _working_day(day: date, is_holiday: IsHoliday) -> date:
    while day.weekday() >= _SATURDAY or is_holiday(day):
        day += timedelta(days=1)
    return day
