"""Restrictions decided by clocks that do not agree."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from core.unit_of_work import unit_of_work
from tests.fakes.site import Site
from tests.fakes.world import World
from vault.services import restrictions


@pytest.fixture(params=["of all purposes", "of one"])
def purpose_id(request: pytest.FixtureRequest, world: World) -> UUID | None:
    return None if request.param == "of all purposes" else world.purpose_id


def decide(
    site: Site, verb: str, subject: UUID, purpose: UUID | None, at: datetime, now: datetime
) -> None:
    with unit_of_work():
        getattr(restrictions, verb)(
            subject_id=subject, purpose_id=purpose, decided_at=at, reason="art18-1-a",
            actor=site.world.actor, now=now,
        )  # fmt: skip


class TestRestrict:
    def test_counts_on_a_machine_whose_clock_was_put_back(
        self, site: Site, purpose_id: UUID | None
    ) -> None:
        ada, now = site.person("ada"), site.world.now
        before = now - timedelta(hours=1)
        decide(site, "restrict", ada, purpose_id, now, now)
        decide(site, "lift", ada, purpose_id, now, now)
        assert site.readable() == {b'{"name":"ada"}'}

        decide(site, "restrict", ada, purpose_id, before, before)

        assert site.readable() == set()

    def test_that_is_told_late_does_not_undo_a_later_lifting(
        self, site: Site, purpose_id: UUID | None
    ) -> None:
        ada, now = site.person("ada"), site.world.now
        decide(site, "lift", ada, purpose_id, now, now)

        decide(site, "restrict", ada, purpose_id, now - timedelta(hours=1), now)

        assert site.readable() == {b'{"name":"ada"}'}


class TestLift:
    def test_counts_on_a_machine_whose_clock_was_put_back(
        self, site: Site, purpose_id: UUID | None
    ) -> None:
        ada, now = site.person("ada"), site.world.now
        before = now - timedelta(hours=1)
        decide(site, "restrict", ada, purpose_id, now, now)
        assert site.readable() == set()

        decide(site, "lift", ada, purpose_id, before, before)

        assert site.readable() == {b'{"name":"ada"}'}
