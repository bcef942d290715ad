"""The list of removals while others write it, on real PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import pytest
from django.db import connections

from core.unit_of_work import unit_of_work
from tests.fakes.world import World
from vault.models import Removal
from vault.services import removals

PURPOSE, OTHER = uuid4(), uuid4()


def keep(world: World, *purposes: UUID) -> list[UUID]:
    """One alias more is gone for each of the purposes."""
    gone = [(purpose, uuid4()) for purpose in purposes]
    removals.keep(gone, reason=Removal.Reason.ERASED, now=world.now)
    return [alias for _, alias in gone]


def numbered(purpose: UUID = PURPOSE) -> dict[UUID, int]:
    removals.number(purpose_id=purpose)
    rows = Removal.objects.filter(purpose_id=purpose, number__isnull=False)
    return {alias: number for alias, number in rows.values_list("alias", "number") if number}


@contextmanager
def meanwhile(act: Callable[[], object]) -> Iterator[threading.Event]:
    """`act` has been done but does not commit before the block has set the event, or ended."""
    done, commit = threading.Event(), threading.Event()

    def run() -> None:
        try:
            with unit_of_work():
                act()
                done.set()
                commit.wait(20)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert done.wait(20)
        yield commit
    finally:
        commit.set()
        thread.join()


class TestNumber:
    def test_orders_what_it_finds_by_alias_and_goes_on_from_there(self, world: World) -> None:
        with unit_of_work():
            first = [alias for _ in range(4) for alias in keep(world, PURPOSE)]
        assert numbered() == {alias: place for place, alias in enumerate(sorted(first), 1)}

        with unit_of_work():
            (later,) = keep(world, PURPOSE)

        assert numbered()[later] == 5

    def test_counts_each_purpose_for_itself(self, world: World) -> None:
        with unit_of_work():
            mine, other = keep(world, PURPOSE, OTHER)

        assert numbered() == {mine: 1}
        assert numbered(OTHER) == {other: 1}

    def test_lets_no_cursor_pass_over_a_row_that_commits_later(self, world: World) -> None:
        early: list[UUID] = []
        with meanwhile(lambda: early.extend(keep(world, PURPOSE))):
            with unit_of_work():
                (late,) = keep(world, PURPOSE)
            assert numbered() == {late: 1}

        assert numbered() == {late: 1, early[0]: 2}

    def test_keeps_no_writer_waiting(self, world: World) -> None:
        with unit_of_work():
            keep(world, PURPOSE)

        with meanwhile(lambda: keep(world, OTHER, PURPOSE)):
            with unit_of_work():
                keep(world, PURPOSE, OTHER)
            assert sorted(numbered().values()) == [1, 2]
            assert sorted(numbered(OTHER).values()) == [1]

    @pytest.mark.parametrize("readers", [4])
    def test_gives_no_number_twice_to_readers_at_once(self, world: World, readers: int) -> None:
        with unit_of_work():
            for _ in range(50):
                keep(world, PURPOSE)
        start = threading.Barrier(readers)
        seen: list[dict[UUID, int]] = []

        def read() -> None:
            try:
                start.wait(20)
                seen.append(numbered())
            finally:
                connections.close_all()

        threads = [threading.Thread(target=read) for _ in range(readers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(seen) == readers
        assert all(one == seen[0] for one in seen)
        assert sorted(seen[0].values()) == list(range(1, 51))
