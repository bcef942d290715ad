"""Writers, readers, consents and re-keys at once on one person: nothing is lost, nothing twice."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import connections
from pytest_django import Settings

from core import clock
from core.unit_of_work import unit_of_work
from tests.fakes.world import World
from vault.models import KeyGrant, KeyShare, Rekey, SealedRecord
from vault.services import grants, purpose_keys, reading, rekey_steps, rekeying

ROUNDS, ACTS, REKEYS = 4, 12, 3


class Round:
    """One person, and what each of those at work saw that must not be."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.subject = world.subject(f"subject-{number}")
        world.consent(self.subject)
        world.record(self.subject, "base", b'{"base":-1}')
        self.start = threading.Barrier(5)
        self.over = threading.Event()
        self.wrong: list[str] = []

    def contend(self) -> None:
        roles = (self.write, self.update, self.read, self.consent, self.rekey)
        with ThreadPoolExecutor(len(roles)) as pool:
            for future in [pool.submit(self.closing, role) for role in roles]:
                future.result(timeout=120)

    def closing(self, role: Callable[[], None]) -> None:
        self.start.wait()
        try:
            role()
        finally:
            connections.close_all()

    def write(self) -> None:
        for number in range(ACTS):
            outcome = self.world.record(self.subject, f"w{number}", b'{"n":%d}' % number).outcome
            if outcome != "created":
                self.wrong.append(f"a new record was {outcome}")

    def update(self) -> None:
        for number in range(ACTS):
            outcome = self.world.record(self.subject, "base", b'{"base":%d}' % number).outcome
            if outcome != "updated":
                self.wrong.append(f"a record known for long was {outcome}")

    def read(self) -> None:
        while not self.over.is_set():
            pages = [row.document for row in self.world.page(limit=500).rows]
            custody = reading.custody_read(
                controller_id=self.world.controller_id, subject_id=self.subject
            )
            for where, documents in (
                ("page", pages),
                ("custody read", [row.document for row in custody]),
            ):
                if len([one for one in documents if b"base" in one]) != 1:
                    self.wrong.append(f"a {where} has the record not once")
                if len(documents) != len(set(documents)):
                    self.wrong.append(f"a {where} has a record twice")

    def consent(self) -> None:
        purpose_id = uuid4()
        with unit_of_work():
            purpose_keys.assign(
                controller_id=self.world.controller_id, purpose_id=purpose_id, now=clock.now()
            )
        for _ in range(ACTS):
            with unit_of_work():
                ground = grants.open_ground(
                    subject_id=self.subject,
                    purpose_id=purpose_id,
                    ground=uuid4(),
                    now=clock.now(),
                )
            assert ground is not None
            report = grants.issue(
                grounds=[ground], categories=[self.world.category], now=clock.now()
            )
            if report.issued != 1:
                self.wrong.append("a consent came to nothing")

    def rekey(self) -> None:
        try:
            for _ in range(REKEYS):
                with unit_of_work():
                    row = rekeying.suspect_leak(
                        controller_id=self.world.controller_id,
                        subject_id=self.subject,
                        group="main",
                        actor=self.world.actor,
                        now=clock.now(),
                    )
                while Rekey.objects.get(id=row.id).state not in {"swapped", "destroying"}:
                    rekey_steps.advance(rekey_id=row.id, clock=clock.now)
        finally:
            self.over.set()


@pytest.mark.long
class TestOnePerson:
    @pytest.mark.parametrize("number", range(ROUNDS))
    def test_keeps_every_record_once_whatever_comes_between(
        self, world: World, settings: Settings, number: int
    ) -> None:
        settings.LETHE_REKEY_SWAP_HOURS = 0
        round_ = Round(world, number)

        round_.contend()

        assert round_.wrong == []
        living = SealedRecord.objects.filter(data_key__share__state="live")
        assert living.filter(is_current=True).count() == ACTS + 1
        assert SealedRecord.objects.filter(is_current=True).count() == ACTS + 1
        base = [row for row in living.values_list("record_id", "version") if row[1] > 1]
        assert sorted(version for _, version in base) == list(range(2, ACTS + 2))
        assert KeyShare.objects.filter(state="live").count() == 1
        assert set(KeyGrant.objects.values_list("share__state", flat=True)) == {"live"}
        assert len(world.page(limit=500).rows) == ACTS + 1
