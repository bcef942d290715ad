"""A key group whose retention has ended for all: in batches, resumable, and holds are kept."""

from uuid import UUID, uuid4

import pytest

from core import effects, failpoints
from governance.services import rekeys
from tests.fakes.points import Killed
from tests.fakes.rekeys import lock
from tests.fakes.world import World
from vault.models import KeyShare, Shredding, ShredLock
from vault.services.expiring import GroupNotExpirable
from vault.services.grants import CategoryRef


@pytest.fixture
def people(world: World) -> list[UUID]:
    world.category = CategoryRef(uuid4(), "logs")
    subjects = [world.subject(name) for name in ("ada", "bo", "cleo")]
    for subject in subjects:
        world.record(subject, "l1", b'{"log":1}')
    return subjects


def begin(world: World) -> None:
    world.later(minutes=1)
    rekeys.expire_everybody(
        controller_id=world.controller_id, group="logs", actor=world.actor, now=world.now
    )


def work(world: World) -> None:
    world.later(minutes=2)
    effects.sweep(queue="default", now=world.now)


def states() -> list[str]:
    return sorted(KeyShare.objects.filter(group="logs").values_list("state", flat=True))


class TestExpireEverybody:
    def test_ends_the_group_of_each_but_who_is_held(self, world: World, people: list[UUID]) -> None:
        lock(world, ShredLock.Scope.SUBJECT, people[0])
        begin(world)

        work(world)

        assert states() == ["live", "retired", "retired"]
        assert Shredding.objects.filter(scope="group").count() == 2

    def test_leaves_what_came_in_later(self, world: World, people: list[UUID]) -> None:
        begin(world)
        world.later(minutes=1)
        late = world.subject("di")
        world.record(late, "l1", b'{"log":1}')

        work(world)

        assert len(people) == 3
        assert states() == ["live", "retired", "retired", "retired"]

    def test_goes_on_in_batches_after_a_crash(
        self, world: World, people: list[UUID], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rekeys, "BATCH", 1)
        begin(world)
        seen: list[int] = []

        def kill(point: str) -> None:
            if point == "governance.expiry.expired":
                seen.append(len(seen))
                if len(seen) == 2:
                    raise Killed

        with failpoints.installed(kill), pytest.raises(Killed):
            work(world)
        for _ in range(3):
            work(world)

        assert states() == ["retired"] * len(people)
        assert Shredding.objects.count() == len(people)

    def test_refuses_the_main_group(self, world: World) -> None:
        with pytest.raises(GroupNotExpirable):
            rekeys.expire_everybody(
                controller_id=world.controller_id, group="main", actor=world.actor, now=world.now
            )
