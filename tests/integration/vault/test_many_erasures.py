"""Many erasures at once: fenced, verified and refused each for itself."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from pytest_django.fixtures import Settings

from core import effects, failpoints
from core.models import Effect, EffectState
from core.unit_of_work import unit_of_work
from tests.fakes.points import ERASER, Killed
from tests.fakes.world import World
from vault.errors import ShredBlocked, SubjectErased, SubjectNotFound
from vault.models import (
    Destruction,
    DestructionAttestation,
    KeyShare,
    Shredding,
    ShredLock,
    Subject,
)
from vault.services import erasing, fencing, locks
from vault.services.fencing import Fence


def people(world: World, count: int) -> list[UUID]:
    made = [world.subject(f"person-{number}") for number in range(count)]
    for subject in made:
        world.record(subject)
        world.consent(subject)
    return made


def fence(world: World, subjects: list[UUID]) -> list[Shredding | fencing.Refusal]:
    with unit_of_work():
        return fencing.fence_many(
            fences=[Fence(subject, uuid4(), 3) for subject in subjects],
            actor=world.actor,
            now=world.now,
        )


def hold(world: World, subject: UUID) -> None:
    with unit_of_work():
        locks.place(
            controller_id=world.controller_id,
            scope=ShredLock.Scope.SUBJECT,
            scope_id=subject,
            ground="litigation",
            actor=world.actor,
            now=world.now,
        )


def begin(world: World, subjects: list[UUID]) -> list[UUID]:
    """Fence them and let the eraser do its part; their erasures."""
    rows = fence(world, subjects)
    world.later(minutes=10)
    effects.sweep(queue="shred", now=world.now)
    return [row.erasure_id for row in rows if isinstance(row, Shredding)]


def revive(world: World, erasure_id: UUID) -> None:
    """Let the key store say again that the erasure's keys are there."""
    for share in KeyShare.objects.filter(shreddingshare__shredding=erasure_id):
        world.custodian.shares[share.kid.bytes] = b"k" * 32


class TestFenceMany:
    def test_fences_each_with_all_its_shares(self, world: World) -> None:
        first, second, other = people(world, 3)

        rows = fence(world, [first, second])

        assert [type(row) for row in rows] == [Shredding, Shredding]
        states = dict(Subject.objects.values_list("id", "state"))
        assert states == {first: "fenced", second: "fenced", other: "live"}
        erasures = dict(Subject.objects.values_list("id", "erasure_id"))
        for row, subject in zip(rows, (first, second), strict=True):
            assert isinstance(row, Shredding)
            assert erasures[subject] == row.erasure_id
            assert [link.was_live for link in row.shares.all()] == [True]
            assert row.shares.get().share.state == "retired"
        row = Shredding.objects.get(subject=first)
        assert Effect.objects.get(key=str(row.erasure_id)).due_at == row.drain_until

    def test_says_of_each_why_it_is_refused(self, world: World) -> None:
        held, fenced, free = people(world, 3)
        hold(world, held)
        fence(world, [fenced])

        answers = fence(world, [held, fenced, uuid4(), free])

        kinds = [ShredBlocked, SubjectErased, SubjectNotFound, Shredding]
        assert [type(answer) for answer in answers] == kinds
        assert isinstance(answers[0], ShredBlocked)
        assert answers[0].context["ground"] == "litigation"
        assert Subject.objects.get(id=held).state == "live"


class TestRun:
    """With groups of two erasures, of which one is destroyed while others are written down."""

    @pytest.fixture(autouse=True)
    def small_groups(self, settings: Settings) -> None:
        settings.LETHE_ERASER_BATCH = 2

    def test_sweeps_group_after_group(self, world: World) -> None:
        begin(world, people(world, 5))

        assert set(Shredding.objects.values_list("state", flat=True)) == {"swept"}
        assert Destruction.objects.filter(settled_at=None).count() == 0
        assert world.custodian.marker is not None
        assert world.custodian.marker.ordinal == Destruction.objects.count() == 3
        shredded = Effect.objects.filter(kind="vault.shred")
        assert set(shredded.values_list("state", flat=True)) == {EffectState.DONE}
        assert list(shredded.order_by("id").values_list("attempts", flat=True)) == [1, 0, 0, 0, 0]

    @pytest.mark.parametrize("point", ERASER)
    def test_goes_on_after_a_crash_in_any_group(self, world: World, point: str) -> None:
        reached = 0

        def kill(here: str) -> None:
            nonlocal reached
            reached += here == point
            if here == point and reached == 2:
                raise Killed

        with failpoints.installed(kill), pytest.raises(Killed):
            begin(world, people(world, 5))
        world.later(minutes=20)
        for queue in ("shred", "attest"):
            effects.sweep(queue=queue, now=world.now)

        assert set(Shredding.objects.values_list("state", flat=True)) == {"verified"}
        assert not any(world.custodian.shares.values())
        assert DestructionAttestation.objects.count() == 5

    def test_begins_no_group_that_its_lease_leaves_no_time_for(self, world: World) -> None:
        fence(world, people(world, 5))
        erasure_ids = list(Shredding.objects.values_list("erasure_id", flat=True))
        world.later(minutes=10)
        times = iter(range(0, 10_000, 10))

        erasing.run(
            erasure_ids=erasure_ids, clock=lambda: world.now + timedelta(seconds=next(times))
        )

        states = list(Shredding.objects.order_by("-state").values_list("state", flat=True))
        assert states == ["swept", "swept", "fenced", "fenced", "fenced"]


class TestAttest:
    def test_verifies_all_that_wait_in_one_run(self, world: World) -> None:
        begin(world, people(world, 3))
        world.custodian.calls.clear()

        effects.sweep(queue="attest", now=world.now)

        assert world.custodian.calls.count("read_destruction") == 1
        assert set(Shredding.objects.values_list("state", flat=True)) == {"verified"}
        bodies = DestructionAttestation.objects.values_list("body", flat=True)
        assert [len(body["shares"]) for body in bodies] == [1, 1, 1]
        assert len({body["shares"][0]["share"] for body in bodies}) == 3
        states = Effect.objects.filter(kind="vault.attest").values_list("state", flat=True)
        assert set(states) == {EffectState.DONE}

    @pytest.mark.parametrize("which", [0, 1, 2])
    def test_stops_for_a_living_key_and_for_no_other(self, world: World, which: int) -> None:
        erasure_ids = begin(world, people(world, 3))
        revive(world, erasure_ids[which])

        effects.sweep(queue="attest", now=world.now)

        left = Shredding.objects.get(state="swept")
        assert left.erasure_id == erasure_ids[which]
        assert Shredding.objects.filter(state="verified").count() == 2
        stuck = Effect.objects.get(kind="vault.attest", state=EffectState.NEEDS_OPERATOR)
        assert (stuck.key, stuck.last_error) == (str(left.erasure_id), "key-still-alive")
        assert not DestructionAttestation.objects.filter(erasure_id=left.erasure_id).exists()
