"""What creations leave behind is destroyed and swept as everything else is."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError

from core import effects, runtime
from core.unit_of_work import unit_of_work
from tests.fakes.custodian import FakeCustodian
from tests.fakes.world import World
from vault.errors import CustodianUnavailable, SubjectErased
from vault.models import (
    DestructionAttestation,
    GateLease,
    KeyShare,
    LookupTag,
    Shredding,
    ShredLock,
    Subject,
)
from vault.ports import GrantToMake
from vault.services import abandoned, locks, reconciling
from vault.services.grants import lock_subject


class AtGrants:
    """The key store, which does `first` before it makes its first grants."""

    def __init__(self, custodian: FakeCustodian, first: Callable[[], None]) -> None:
        self._custodian, self._first = custodian, [first]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._custodian, name)

    def make_grants(self, grants: Sequence[GrantToMake]) -> Any:
        if self._first:
            self._first.pop()()
        return self._custodian.make_grants(grants)


def go_down() -> None:
    raise CustodianUnavailable


def broken_off(world: World) -> UUID:
    """A subject whose share was written and whose creation went no further."""
    store = AtGrants(world.custodian, go_down)
    with runtime.override(custodian=store), pytest.raises(CustodianUnavailable):
        world.subject("ada")
    return Subject.objects.get().id


def run(world: World) -> None:
    world.later(minutes=10)
    for queue in ("shred", "attest"):
        effects.sweep(queue=queue, now=world.now)


class TestPurge:
    def test_has_the_share_of_a_broken_creation_destroyed(self, world: World) -> None:
        broken_off(world)
        assert [secret is None for secret in world.custodian.shares.values()] == [False]
        world.later(days=1)

        assert abandoned.purge(now=world.now) == 1
        run(world)

        assert [secret is None for secret in world.custodian.shares.values()] == [True]
        assert Shredding.objects.get().state == "verified"
        assert KeyShare.objects.get().state == "destroyed"
        assert not Subject.objects.exists()
        assert [s["state"] for s in DestructionAttestation.objects.get().body["shares"]] == [
            "destroyed"
        ]
        assert reconciling.compare(controller_id=world.controller_id).is_clean

    def test_has_the_share_of_the_loser_of_a_race_destroyed(self, world: World) -> None:
        found: list[UUID] = []
        store = AtGrants(world.custodian, lambda: found.append(world.subject("ada")))
        with runtime.override(custodian=store):
            assert [world.subject("ada")] == found
        assert KeyShare.objects.count() == 2
        world.later(days=1)

        assert abandoned.purge(now=world.now) == 1
        run(world)

        states = dict(KeyShare.objects.values_list("subject_id", "state"))
        assert states == {found[0]: "live", None: "destroyed"}
        assert Subject.objects.get().state == "live"
        assert LookupTag.objects.get().subject_id == found[0]

    def test_leaves_a_creation_a_day(self, world: World) -> None:
        broken_off(world)
        world.later(hours=23)

        assert abandoned.purge(now=world.now) == 0

    def test_leaves_subjects_that_are_somebody(self, world: World) -> None:
        subject = world.subject("ada")
        LookupTag.objects.all().delete()
        world.later(days=400)

        assert abandoned.purge(now=world.now) == 0
        assert Subject.objects.get(id=subject).state == "live"

    def test_leaves_all_while_the_gate_is_closed(self, world: World) -> None:
        broken_off(world)
        world.later(days=1)
        GateLease.objects.update(is_open=False)

        assert abandoned.purge(now=world.now) == 0
        assert Subject.objects.get().state == "live"

    def test_does_each_once(self, world: World) -> None:
        broken_off(world)
        world.later(days=1)

        assert [abandoned.purge(now=world.now) for _ in range(2)] == [1, 0]

    def test_waits_for_a_lock_of_the_controller(self, world: World) -> None:
        subject = broken_off(world)
        world.later(days=1)
        with unit_of_work():
            placed = locks.place(
                controller_id=world.controller_id,
                scope=ShredLock.Scope.CONTROLLER,
                scope_id=world.controller_id,
                ground="litigation",
                actor=world.actor,
                now=world.now,
            )
        blocked = abandoned.purge(now=world.now)
        with unit_of_work():
            locks.lift(
                controller_id=world.controller_id,
                lock_id=placed.lock.id,
                actor=world.actor,
                now=world.now,
            )

        assert (blocked, abandoned.purge(now=world.now)) == (0, 1)
        with unit_of_work(), pytest.raises(SubjectErased):
            lock_subject(subject)

    def test_makes_a_creation_fail_that_goes_on_afterwards(self, world: World) -> None:
        def sleep_and_be_purged() -> None:
            world.later(days=1)
            assert abandoned.purge(now=world.now) == 1

        store = AtGrants(world.custodian, sleep_and_be_purged)
        with runtime.override(custodian=store), pytest.raises(DatabaseError, match="late writer"):
            world.subject("ada")

        assert not LookupTag.objects.exists()
        world.subject("ada")
        assert LookupTag.objects.exists()
