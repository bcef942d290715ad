"""Subjects prepared ahead: taken once, never after a restore, destroyed when nobody takes them."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.db import connection, connections

from core import failpoints, runtime
from tests.fakes.world import World
from vault.errors import CustodianUnavailable
from vault.models import KeyShare, PreparedSubject, SealedOpening, Shredding, Subject
from vault.services import abandoned, prepared, reconciling, subjects
from vault.services.subjects import SubjectOutcome


class Silent:
    """A key store that does not answer."""

    def __getattr__(self, _name: str) -> object:
        raise CustodianUnavailable


class Stopped(Exception):
    """The process ends here."""


def prepare(world: World, count: int) -> set[UUID]:
    prepared.prepare(controller_id=world.controller_id, count=count, now=world.now)
    return set(PreparedSubject.objects.values_list("subject_id", flat=True))


def ready(world: World) -> int:
    return prepared.available(controller_id=world.controller_id, limit=1000, now=world.now)


def create(world: World, *names: str) -> list[SubjectOutcome]:
    return subjects.create_many(
        controller_id=world.controller_id,
        drafts=[world.draft(name) for name in names],
        actor=world.actor,
        now=world.now,
    )


class TestPrepare:
    def test_counts_as_nobody_and_is_known_to_the_reconciler(self, world: World) -> None:
        prepare(world, 3)

        assert ready(world) == 3
        assert not Subject.objects.exclude(evidence_public=None).exists()
        assert reconciling.compare(controller_id=world.controller_id).is_clean

    @pytest.mark.parametrize(
        "point", ["vault.keys.planned", "vault.keys.created", "vault.prepared.made"]
    )
    def test_leaves_nothing_to_take_when_it_breaks_off(self, world: World, point: str) -> None:
        def stop(reached: str) -> None:
            if reached == point:
                raise Stopped

        with pytest.raises(Stopped), failpoints.installed(stop):
            prepare(world, 2)

        assert ready(world) == 0
        assert reconciling.compare(controller_id=world.controller_id).is_clean

    def test_is_asked_for_by_a_command(self, world: World) -> None:
        from accounts.models import Controller

        row = Controller.objects.create(slug="clinic", name="C", country="DE", timezone="UTC")

        call_command("prepare_subjects", controller="clinic", count=2)

        assert prepared.available(controller_id=row.id, limit=9, now=world.now) == 2


class TestTake:
    def test_creates_subjects_without_a_write_in_the_key_store(self, world: World) -> None:
        ids = prepare(world, 2)

        with runtime.override(custodian=Silent()):
            outcomes = create(world, "ada", "bea")

        assert {outcome.subject_id for outcome in outcomes} == ids
        assert {outcome.outcome for outcome in outcomes} == {"created"}
        assert SealedOpening.objects.filter(subject_id__in=ids).count() == 2
        assert (ready(world), PreparedSubject.objects.count()) == (0, 0)

    def test_makes_what_is_not_ready(self, world: World) -> None:
        ids = prepare(world, 1)

        outcomes = create(world, "ada", "bea", "cle")

        found = {outcome.subject_id for outcome in outcomes}
        assert len(found) == 3
        assert found > ids

    def test_gives_subjects_that_read_and_write_like_any_other(self, world: World) -> None:
        prepare(world, 1)

        subject = world.subject("ada")
        world.record(subject)
        world.consent(subject)

        assert [row.document for row in world.page().rows] == [b'{"age":41}']

    def test_keeps_controllers_apart(self, world: World) -> None:
        prepared.prepare(controller_id=uuid4(), count=2, now=world.now)

        create(world, "ada")

        assert PreparedSubject.objects.count() == 2

    def test_gives_each_to_one_writer_only(self, world: World) -> None:
        ids = prepare(world, 10)

        def write(writer: int) -> list[UUID | None]:
            try:
                names = [f"{writer}-{number}" for number in range(5)]
                return [outcome.subject_id for outcome in create(world, *names)]
            finally:
                connections.close_all()

        with ThreadPoolExecutor(4) as pool:
            made = [id_ for part in pool.map(write, range(4)) for id_ in part]

        assert len(set(made)) == len(made) == 20
        assert ids < set(made)

    @pytest.mark.parametrize(
        "change",
        [
            "postmaster_started = postmaster_started - interval '1 second'",
            "system_identifier = system_identifier + 1",
            "table_oid = table_oid + 1",
        ],
    )
    def test_takes_none_that_another_server_or_table_prepared(
        self, world: World, change: str
    ) -> None:
        ids = prepare(world, 1)
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE vault_preparedsubject SET {change}")

        (outcome,) = create(world, "ada")

        assert outcome.outcome == "created"
        assert outcome.subject_id not in ids

    def test_takes_none_that_is_old_or_being_destroyed(self, world: World) -> None:
        old = prepare(world, 1)
        world.later(hours=21)
        (late,) = create(world, "ada")
        world.later(hours=4)
        fenced = abandoned.purge(now=world.now)

        assert late.subject_id not in old
        assert fenced == 1
        assert set(Shredding.objects.values_list("subject_id", flat=True)) == old
        assert set(KeyShare.objects.filter(subject__in=old).values_list("state", flat=True)) == {
            "retired"
        }

    def test_is_not_purged_once_it_was_taken(self, world: World) -> None:
        prepare(world, 1)
        world.later(hours=19)
        subject = world.subject("ada")
        world.later(hours=6)

        assert abandoned.purge(now=world.now) == 0
        assert Subject.objects.get(id=subject).state == "live"
