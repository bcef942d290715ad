"""Pages of one stream in a row, with the next one selected while the last is on its way."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from core.unit_of_work import unit_of_work
from tests.fakes.world import World
from vault.errors import RestoreReplayRequired
from vault.models import GateLease, KeyGrant, Removal
from vault.services import grants, purpose_keys
from vault.services.page_opening import PageRow
from vault.services.pages import Page, PageReader, Position

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people(world: World) -> World:
    """Seven people of three records each, who all consented."""
    for number in range(7):
        subject = world.subject(f"s{number}")
        for record in range(3):
            world.record(subject, f"r{record}", b'{"n":%d}' % (3 * number + record))
        world.consent(subject)
    return world


@pytest.fixture
def reader(people: World, settings: Settings) -> Iterator[PageReader]:
    settings.LETHE_READ_AHEAD = timedelta(minutes=1)
    made = reader_of(people)
    yield made
    made.close()


def reader_of(world: World, split: tuple[int, int] = (0, 1)) -> PageReader:
    return PageReader(
        purpose_id=world.purpose_id,
        wrapping_key=purpose_keys.wrapping_key(world.purpose_id),
        categories=[world.category.category_id],
        split=split,
    )


def read_all(reader: PageReader, limit: int) -> list[PageRow]:
    rows, position = [], None
    while True:
        page = reader.page(position, limit=limit, following=limit)
        rows += page.rows
        position = page.last
        if position is None:
            reader.close()
            return rows


def withdraw_everybody(world: World) -> None:
    for subject in KeyGrant.objects.values_list("subject_id", flat=True).distinct():
        with unit_of_work():
            grants.withdraw(
                subject_id=subject,
                purpose_id=world.purpose_id,
                reason=Removal.Reason.WITHDRAWN,
                now=world.now,
            )


def first(reader: PageReader) -> tuple[Page, Position]:
    """The first page; the second one is selected when this returns."""
    page = reader.page(None, limit=2, following=2)
    assert page.last is not None
    return page, page.last


class TestPageReader:
    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 20, 21, 22, 1000])
    def test_reads_the_same_ahead_as_page_by_page(
        self, people: World, settings: Settings, limit: int
    ) -> None:
        settings.LETHE_READ_AHEAD = timedelta(0)
        alone = read_all(reader_of(people), limit)
        settings.LETHE_READ_AHEAD = timedelta(minutes=1)

        ahead = read_all(reader_of(people), limit)

        assert ahead == alone
        assert sorted(row.document for row in ahead) == sorted(
            b'{"n":%d}' % number for number in range(21)
        )

    def test_reads_splits_ahead(self, people: World, settings: Settings) -> None:
        settings.LETHE_READ_AHEAD = timedelta(minutes=1)

        parts = [read_all(reader_of(people, (index, 4)), 2) for index in range(4)]

        assert sorted(len({row.reference for row in part}) for part in parts) == sorted(
            map(len, parts)
        )
        assert sum(map(len, parts)) == 21

    def test_drops_what_is_too_old_when_its_turn_comes(
        self, people: World, reader: PageReader, settings: Settings
    ) -> None:
        _, position = first(reader)
        withdraw_everybody(people)
        settings.LETHE_READ_AHEAD = timedelta(microseconds=1)

        assert reader.page(position, limit=2, following=2).rows == []

    def test_may_still_have_who_withdrew_after_it_was_selected(
        self, people: World, reader: PageReader, settings: Settings
    ) -> None:
        _, position = first(reader)
        before = time.monotonic()
        withdraw_everybody(people)

        page = reader.page(position, limit=2, following=2)

        assert len(page.rows) == 2
        assert page.deadline < before + settings.LETHE_PAGE_DEADLINE.total_seconds()
        assert reader.page(page.last, limit=2, following=2).rows == []

    def test_selects_anew_when_its_own_connection_is_gone(self, reader: PageReader) -> None:
        page, position = first(reader)
        assert end_other_connections() == 1

        after = reader.page(position, limit=2, following=2)

        assert len(after.rows) == 2
        assert page.rows[-1].alias <= after.rows[0].alias

    def test_selects_nothing_ahead_of_a_slow_reader(
        self, people: World, settings: Settings
    ) -> None:
        settings.LETHE_READ_AHEAD = timedelta(microseconds=1)
        reader = reader_of(people)

        first(reader)

        assert end_other_connections() == 0

    def test_leaves_no_connection_behind(self, reader: PageReader) -> None:
        first(reader)

        reader.close()

        until = time.monotonic() + 10
        while other_connections():
            assert time.monotonic() < until

    def test_refuses_a_page_selected_ahead_of_which_the_gate_was_closed(
        self, reader: PageReader
    ) -> None:
        page = reader.page(None, limit=2)
        assert page.last is not None
        with unit_of_work():
            GateLease.objects.update(is_open=False)
        reader._look_ahead(reader._wanted(page.last, 2))

        with pytest.raises(RestoreReplayRequired):
            reader.page(page.last, limit=2)


def end_other_connections() -> int:
    """End the sessions that have a page's statement, but for this one; how many there were."""
    return _of_others("count(pg_terminate_backend(pid, 10000))")


def other_connections() -> int:
    return _of_others("count(*)")


def _of_others(counted: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {counted} FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND usename = current_user AND query LIKE '%%string_agg%%'"
        )
        (count,) = cursor.fetchone() or (0,)
    return int(count)
