"""What a scrape of /metrics measures in the database."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from core import clock, effects
from core.models import Effect, EffectState
from core.unit_of_work import unit_of_work
from tests.fakes.world import World
from vault.domain.states import ShareState
from vault.models import KeyShare, PendingEntry, Shredding
from vault.services import shredding

pytestmark = pytest.mark.django_db(transaction=True)


def scrape() -> dict[str, float]:
    """The gauges that stand for the whole installation; one label at most."""
    text = Client().get("/metrics").content.decode()
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if family.type == "gauge"
    }


def fence(world: World) -> None:
    subject = world.subject()
    with unit_of_work():
        shredding.fence(
            subject_id=subject,
            erasure_id=uuid4(),
            actor=world.actor,
            open_leases=0,
            now=world.now,
        )


class TestEffectsWaiting:
    def test_are_counted_whoever_gave_them_up_and_until_they_are_done(self, world: World) -> None:
        with unit_of_work():
            effects.enqueue(kind="vault.shred", key="one", payload={}, now=world.now)
        Effect.objects.update(state=EffectState.NEEDS_OPERATOR)
        assert scrape()["lethe_effects_waiting vault.shred"] == 1

        Effect.objects.update(state=EffectState.DONE)

        assert scrape()["lethe_effects_waiting vault.shred"] == 0


class TestUnjournaled:
    def test_acts_are_told_with_the_age_of_the_oldest(self, world: World) -> None:
        assert scrape()["lethe_unjournaled_acts"] == 0
        ages = (timedelta(seconds=90), timedelta(seconds=5))
        for age in ages:
            PendingEntry.objects.create(kind="note", body={}, created_at=clock.now() - age)

        measured = scrape()

        assert measured["lethe_unjournaled_acts"] == 2
        assert 90 <= measured["lethe_unjournaled_seconds"] < 150


class TestErasures:
    def test_that_are_not_verified_are_told_with_their_age(self, world: World) -> None:
        fence(world)
        Shredding.objects.update(fenced_at=clock.now() - timedelta(hours=3))

        measured = scrape()

        assert measured["lethe_erasures_unverified"] == 1
        assert measured["lethe_erasures_unverified_seconds"] >= 3 * 3600

    def test_held_for_an_officer_are_not_owed(self, world: World) -> None:
        fence(world)
        Shredding.objects.update(held_at=clock.now())

        assert scrape()["lethe_erasures_unverified"] == 0
        assert shredding.due(now=clock.now(), limit=1) == []


class TestKeysLost:
    def test_are_counted(self, world: World) -> None:
        world.subject()
        assert scrape()["lethe_key_shares_lost"] == 0

        KeyShare.objects.update(state=ShareState.LOST)

        assert scrape()["lethe_key_shares_lost"] == 1
