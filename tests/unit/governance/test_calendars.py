from datetime import date

import pytest

from governance.domain.deadlines import due_on
from governance.services.calendars import holidays_of


class TestHolidaysOf:
    def test_follows_the_country(self) -> None:
        unity, bastille = date(2026, 10, 3), date(2026, 7, 14)

        assert [holidays_of(country)(unity) for country in ("DE", "FR")] == [True, False]
        assert [holidays_of(country)(bastille) for country in ("DE", "FR")] == [False, True]

    def test_takes_no_sunday_for_a_holiday(self) -> None:
        assert not holidays_of("SE")(date(2026, 4, 12))

    def test_leaves_out_holidays_of_a_part_of_the_country(self) -> None:
        assert not holidays_of("DE")(date(2026, 6, 4))

    def test_knows_years_far_apart_from_one_calendar(self) -> None:
        is_holiday = holidays_of("DE")

        assert [is_holiday(date(year, 5, 1)) for year in (2026, 2031, 2026)] == [True] * 3

    @pytest.mark.parametrize("country", ["", "ZZ"])
    def test_has_none_for_a_country_that_is_not_known(self, country: str) -> None:
        assert not holidays_of(country)(date(2026, 12, 25))

    @pytest.mark.parametrize(
        ("country", "received", "due"),
        [
            ("DE", date(2026, 3, 5), date(2026, 4, 7)),
            ("DE", date(2026, 11, 25), date(2026, 12, 28)),
            ("DE", date(2026, 4, 1), date(2026, 5, 4)),
            ("DE", date(2026, 12, 1), date(2027, 1, 4)),
            ("SE", date(2026, 12, 6), date(2027, 1, 7)),
            ("DE", date(2026, 12, 6), date(2027, 1, 6)),
        ],
    )
    def test_moves_the_worked_deadlines(self, country: str, received: date, due: date) -> None:
        assert due_on(received, is_holiday=holidays_of(country)) == due
