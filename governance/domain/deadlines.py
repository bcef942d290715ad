"""Deadlines in calendar months (Article 12(3) GDPR; Regulation 1182/71, Articles 2 and 3).

Public holidays are not known yet: only Saturdays and Sundays move a deadline. A holiday can only
make the true deadline later, so the date given here is never too late.
"""

from calendar import monthrange
from datetime import date, timedelta

_SATURDAY = 5


def due_on(received_on: date, *, months: int = 1) -> date:
    """The last day to answer a request that arrived on `received_on`, local to the controller.

    The day of receipt does not count; the period ends with the same-numbered day of the later
    month, or its last day when there is no such day; never 30 days. An end on a weekend moves
    to Monday. An extension counts three months from the receipt, never from a moved date.
    """
    return _working_day(_months_later(received_on, months))


def _months_later(day: date, months: int) -> date:
    index = day.month - 1 + months
    year, month = day.year + index // 12, index % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _working_day(day: date) -> date:
    while day.weekday() >= _SATURDAY:
        day += timedelta(days=1)
    return day
