"""Rotations of purpose and custody beside readers, consents, withdrawals and re-keys."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.db import connections
from pytest_django import Settings

from core import clock
from core.unit_of_work import unit_of_work
from tests.fakes import rotations
from tests.fakes.rotations import versions
from tests.fakes.world import World
from vault.models import CustodyGrant, KeyGrant, Rekey, Removal, Rotation
from vault.services import (
    gatekeeper,
    grants,
    key_cache,
    reading,
    rekey_steps,
    rekeying,
    rewrapping,
    rotating,
    rotation_steps,
)

pytestmark = pytest.mark.long
PEOPLE, ACTS = 6, 12


@pytest.fixture(autouse=True)
def inventory(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every backup is there at once: the waits are not what is tried here."""
    settings.LETHE_BACKUPS_ATTESTED = f"{__name__}.always"
    settings.LETHE_BACKUPS_CLEARED = f"{__name__}.always"
    settings.LETHE_REKEY_SWAP_HOURS = 0
    monkeypatch.setattr(rewrapping, "BATCH", 2)
    with rotations.inventory():
        yield


def always(**_: object) -> bool:
    return True


class Site:
    """People who stay, one who comes and goes, one who is re-keyed; and what was seen wrong."""

    def __init__(self, world: World) -> None:
        self.world = world
        gatekeeper.tend(now=world.now)
        self.staying = [self.person(f"stays-{number}") for number in range(PEOPLE)]
        self.going, self.moving = self.person("goes"), self.person("moves")
        self.start, self.over = threading.Barrier(4), threading.Event()
        self.wrong: list[str] = []

    def person(self, name: str) -> UUID:
        subject = self.world.subject(name)
        self.world.record(subject, document=b'{"name":"%s"}' % name.encode())
        self.world.consent(subject)
        return subject

    def contend(self) -> None:
        roles = (self.rotate, self.read, self.come_and_go, self.rekey)
        with ThreadPoolExecutor(len(roles)) as pool:
            for future in [pool.submit(self.closing, role) for role in roles]:
                future.result(timeout=120)

    def closing(self, role: Callable[[], None]) -> None:
        self.start.wait()
        try:
            role()
        finally:
            connections.close_all()

    def rotate(self) -> None:
        try:
            for purpose_id in (self.world.purpose_id, None):
                row = rotating.begin(purpose_id=purpose_id, actor=self.world.actor, now=clock.now())
                while rotation_steps.advance(rotation_id=row.id, clock=clock.now) is not None:
                    pass
        finally:
            self.over.set()

    def read(self) -> None:
        while not self.over.is_set():
            key_cache.cache().clear()
            names = [row.document for row in self.world.page(limit=500).rows]
            if len([name for name in names if b"stays" in name]) != PEOPLE:
                self.wrong.append("a page lacks somebody")
            own = reading.custody_read(
                controller_id=self.world.controller_id, subject_id=self.staying[0]
            )
            if len(own) != 1:
                self.wrong.append("a custody read lacks a record")

    def come_and_go(self) -> None:
        for _ in range(ACTS):
            self.world.consent(self.going)
            with unit_of_work():
                grants.withdraw(
                    subject_id=self.going, purpose_id=self.world.purpose_id,
                    reason=Removal.Reason.WITHDRAWN, now=clock.now(),
                )  # fmt: skip
            if KeyGrant.objects.filter(subject_id=self.going).exists():
                self.wrong.append("a withdrawn grant is there")

    def rekey(self) -> None:
        for _ in range(3):
            with unit_of_work():
                row = rekeying.suspect_leak(
                    controller_id=self.world.controller_id, subject_id=self.moving,
                    group="main", actor=self.world.actor, now=clock.now(),
                )  # fmt: skip
            while Rekey.objects.get(id=row.id).state not in {"swapped", "destroying"}:
                rekey_steps.advance(rekey_id=row.id, clock=clock.now)


class TestRotation:
    @pytest.mark.parametrize("number", range(3))
    def test_loses_no_grant_and_brings_none_back(self, world: World, number: int) -> None:
        site = Site(world)

        site.contend()

        assert site.wrong == []
        assert list(Rotation.objects.values_list("state", flat=True)) == ["done", "done"]
        assert (versions(), versions(CustodyGrant)) == ({2}, {2})
        key_cache.cache().clear()
        assert len(world.page(limit=500).rows) == PEOPLE + 1
        assert not KeyGrant.objects.filter(subject_id=site.going).exists()
        for subject in (*site.staying, site.going, site.moving):
            read = reading.custody_read(controller_id=world.controller_id, subject_id=subject)
            assert len(read) == 1
