"""Public holidays of a controller's country, for deadlines."""

from datetime import date
from functools import lru_cache

import holidays

from governance.domain.deadlines import IsHoliday


def holidays_of(country: str) -> IsHoliday:
    """Whether a day is a public holiday in all of `country` (ISO 3166-1 alpha-2).

    Holidays of a part of the country are left out, and for a country whose holidays are not
    known there are none: either can only give a deadline that is too early, never too late.
    """
    return lambda day: day in _of_year(country, day.year)


@lru_cache(maxsize=256)
def _of_year(country: str, year: int) -> frozenset[date]:
    """Whole and unchanging: the package's own calendar grows while other threads read it."""
    try:
        return frozenset(holidays.country_holidays(country, years=year, expand=False))
    except NotImplementedError:
        return frozenset()
