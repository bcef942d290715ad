"""Expiry of one key group: its data ends, everything else of the person goes on."""

from uuid import UUID, uuid4

import pytest

from core import effects, failpoints
from core.unit_of_work import unit_of_work
from tests.fakes.points import ERASER, Killed
from tests.fakes.rekeys import lock
from tests.fakes.world import World
from vault.errors import KeysChanging, ShredBlocked, SubjectNotFound
from vault.models import (
    DataKey,
    DestructionAttestation,
    KeyShare,
    SealedRecord,
    Shredding,
    ShredLock,
    Subject,
)
from vault.services import expiring, reading, rekeying, shredding
from vault.services.grants import CategoryRef

LOGS = "logs"


def person(world: World) -> UUID:
    """One record in group `main`, one in group `logs`; the purpose reads both categories."""
    subject = world.subject()
    world.record(subject, "r1", b'{"main":1}')
    world.consent(subject)
    world.category = CategoryRef(uuid4(), LOGS)
    world.consent(subject)
    world.record(subject, "l1", b'{"log":1}')
    return subject


def expire(world: World, subject: UUID, **more: object) -> Shredding:
    terms = {
        "controller_id": world.controller_id,
        "subject_id": subject,
        "group": LOGS,
        "actor": world.actor,
        "open_leases": 0,
        "now": world.now,
    }
    with unit_of_work():
        return expiring.expire(**(terms | more))  # type: ignore[arg-type]


def finish(world: World) -> None:
    for _ in range(2):
        world.later(minutes=10)
        for queue in ("shred", "attest"):
            effects.sweep(queue=queue, now=world.now)


def custody(world: World, subject: UUID) -> set[bytes]:
    read = reading.custody_read(controller_id=world.controller_id, subject_id=subject)
    return {row.document for row in read}


class TestExpire:
    def test_ends_the_group_and_nothing_else(self, world: World) -> None:
        subject = person(world)

        expire(world, subject)
        assert world.page().rows == []
        assert custody(world, subject) == {b'{"main":1}'}
        finish(world)

        assert Shredding.objects.get().state == "verified"
        assert Subject.objects.get().state == "live"
        assert SealedRecord.objects.count() == 1
        states = dict(KeyShare.objects.values_list("group", "state"))
        assert states == {"main": "live", LOGS: "destroyed"}
        body = DestructionAttestation.objects.get().body
        assert (body["scope"], body["group"]) == ("group", LOGS)
        assert (body["counts"]["records"], len(body["shares"])) == (1, 1)
        assert custody(world, subject) == {b'{"main":1}'}

    def test_lets_later_data_have_a_key_of_its_own(self, world: World) -> None:
        subject = person(world)
        expire(world, subject)
        finish(world)

        assert world.record(subject, "l1", b'{"log":2}').outcome == "created"
        assert custody(world, subject) == {b'{"main":1}', b'{"log":2}'}

    def test_takes_no_data_while_a_lock_could_still_stop_it(self, world: World) -> None:
        subject = person(world)
        expire(world, subject)

        with pytest.raises(KeysChanging):
            world.record(subject, "l2", b'{"log":2}')

    def test_is_stopped_by_a_lock(self, world: World) -> None:
        subject = person(world)
        logs = world.category.category_id
        expire(world, subject)

        placed = lock(world, ShredLock.Scope.CATEGORY, logs)
        finish(world)

        assert placed.cancelled
        assert custody(world, subject) == {b'{"main":1}', b'{"log":1}'}
        assert len(world.page().rows) == 1
        with pytest.raises(ShredBlocked):
            expire(world, subject)

    def test_is_not_stopped_by_a_lock_on_another_groups_category(self, world: World) -> None:
        other = world.category.category_id
        subject = person(world)
        lock(world, ShredLock.Scope.CATEGORY, other)

        expire(world, subject)
        finish(world)

        assert Shredding.objects.get().state == "verified"

    def test_does_not_keep_a_hold_from_the_rest_once_it_is_ordered(self, world: World) -> None:
        subject = person(world)
        expire(world, subject)

        def kill(point: str) -> None:
            if point == "vault.shred.after-order":
                raise Killed

        with failpoints.installed(kill), pytest.raises(Killed):
            finish(world)

        assert lock(world, ShredLock.Scope.SUBJECT, subject).lock.lifted_at is None

    def test_refuses_the_main_group_unknown_groups_and_strangers(self, world: World) -> None:
        subject = person(world)

        with pytest.raises(expiring.GroupNotExpirable):
            expire(world, subject, group="main")
        with pytest.raises(rekeying.GroupNotFound):
            expire(world, subject, group="none")
        with pytest.raises(SubjectNotFound):
            expire(world, subject, controller_id=uuid4())
        assert not Shredding.objects.exists()

    def test_happens_once(self, world: World) -> None:
        subject = person(world)
        expire(world, subject)

        with pytest.raises(rekeying.GroupNotFound):
            expire(world, subject)

    def test_gives_way_to_an_erasure(self, world: World) -> None:
        subject = person(world)
        part = expire(world, subject)
        with unit_of_work():
            shredding.fence(
                subject_id=subject,
                erasure_id=uuid4(),
                actor=world.actor,
                open_leases=0,
                now=world.now,
            )

        finish(world)

        part.refresh_from_db()
        assert part.state == "cancelled"
        assert not DataKey.objects.exists()
        assert set(KeyShare.objects.values_list("state", flat=True)) == {"destroyed"}

    @pytest.mark.parametrize("point", ERASER)
    def test_completes_once_after_a_crash_anywhere(self, world: World, point: str) -> None:
        subject = person(world)
        expire(world, subject)
        hits: list[str] = []

        def kill(reached: str) -> None:
            if reached == point and not hits:
                hits.append(reached)
                raise Killed

        with failpoints.installed(kill), pytest.raises(Killed):
            finish(world)
        finish(world)

        assert Shredding.objects.get().state == "verified"
        assert DestructionAttestation.objects.count() == 1
        assert custody(world, subject) == {b'{"main":1}'}


class TestDue:
    def test_names_who_holds_a_key_of_the_group_from_before(self, world: World) -> None:
        subject = person(world)
        world.subject("bo")
        then = world.later(days=1)

        def due(**more: object) -> list[UUID]:
            terms = {"before": then, "after": UUID(int=0), "limit": 10}
            named = {"controller_id": world.controller_id, "group": LOGS}
            return expiring.due(**(named | terms | more))  # type: ignore[arg-type]

        assert due() == [subject]
        assert due(before=then.replace(year=2020)) == []
        assert due(after=subject) == []
        assert due(controller_id=uuid4()) == []
