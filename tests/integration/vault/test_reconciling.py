"""The reconciler names what the two stores see differently and changes nothing."""

import os
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from core import effects, runtime
from core.unit_of_work import unit_of_work
from tests.fakes.custodian import FakeCustodian
from tests.fakes.world import World
from vault.models import KeyShare, Subject
from vault.ports import ShareRef
from vault.services import reconciling, shredding


class KeyStoreStoodStill(Exception):
    """The call has not come back yet."""


class PausedAtShares:
    """The key store, for a process that stops before its shares are written."""

    def __init__(self, custodian: FakeCustodian) -> None:
        self._custodian = custodian
        self.asked: Sequence[ShareRef] = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._custodian, name)

    def create_shares(self, refs: Sequence[ShareRef]) -> None:
        self.asked = refs
        raise KeyStoreStoodStill


def counted(labels: Mapping[str, str]) -> float:
    return REGISTRY.get_sample_value("lethe_integrity_violations_total", dict(labels)) or 0


class TestLost:
    def test_is_said_and_is_no_news(self, world: World) -> None:
        world.subject("ada")
        KeyShare.objects.update(state="lost", lost_at=world.now)
        world.custodian.shares.clear()

        report = reconciling.compare(controller_id=world.controller_id)

        assert report.is_clean
        assert len(report.lost) == 1

    def test_is_news_once_it_is_there_again(self, world: World) -> None:
        world.subject("ada")
        KeyShare.objects.update(state="lost", lost_at=world.now)

        report = reconciling.compare(controller_id=world.controller_id)

        assert not report.is_clean
        assert len(report.lost_but_live) == 1


class TestCompare:
    def test_is_clean_for_living_and_fenced_subjects(self, world: World) -> None:
        subject = world.subject("ada")
        world.subject("bo")
        with unit_of_work():
            shredding.fence(
                subject_id=subject,
                erasure_id=uuid4(),
                actor=world.actor,
                open_leases=0,
                now=world.now,
            )

        report = reconciling.compare(controller_id=world.controller_id)

        assert report.is_clean
        assert report.checked == 2

    def test_reports_a_share_without_a_row_and_leaves_it(self, world: World) -> None:
        stray = ShareRef(os.urandom(16), world.controller_id)
        world.custodian.create_shares([stray])

        report = reconciling.compare(controller_id=world.controller_id)

        assert report.without_row == [stray.kid.hex()]
        assert world.custodian.shares[stray.kid] is not None

    def test_reports_a_living_subject_whose_share_is_gone(self, world: World) -> None:
        world.subject()
        world.custodian.shares.clear()

        report = reconciling.compare(controller_id=world.controller_id)

        assert report.live_but_absent == [KeyShare.objects.get().kid.hex]

    def test_reports_a_living_subject_whose_share_was_destroyed(self, world: World) -> None:
        world.subject()
        for kid in world.custodian.shares:
            world.custodian.shares[kid] = None

        report = reconciling.compare(controller_id=world.controller_id)

        assert report.live_but_destroyed == [KeyShare.objects.get().kid.hex]

    def test_reports_a_destroyed_share_that_a_restore_brought_back(self, world: World) -> None:
        world.subject()
        KeyShare.objects.update(state="destroyed")

        report = reconciling.compare(controller_id=world.controller_id)

        assert report.destroyed_but_live == [KeyShare.objects.get().kid.hex]
        assert not report.is_clean

    def test_reports_a_share_that_was_written_after_its_erasure(self, world: World) -> None:
        """The process that creates it stands still until an erasure has found nothing there."""
        late = PausedAtShares(world.custodian)
        with runtime.override(custodian=late), pytest.raises(KeyStoreStoodStill):
            world.subject()
        with unit_of_work():
            shredding.fence(
                subject_id=Subject.objects.get().id,
                erasure_id=uuid4(),
                actor=world.actor,
                open_leases=0,
                now=world.now,
            )
        world.later(minutes=10)
        effects.sweep(queue="shred", now=world.now)
        assert KeyShare.objects.get().state == "absent"
        before = reconciling.compare(controller_id=world.controller_id)

        world.custodian.create_shares(late.asked)
        report = reconciling.compare(controller_id=world.controller_id)

        assert before.is_clean
        assert report.absent_but_live == [KeyShare.objects.get().kid.hex]
        assert (report.destroyed_but_live, report.is_clean) == ([], False)

    @pytest.mark.parametrize("state", ["destroyed", "absent"])
    def test_is_loud_about_a_share_that_should_be_gone(
        self, world: World, caplog: pytest.LogCaptureFixture, state: str
    ) -> None:
        world.subject()
        KeyShare.objects.update(state=state)
        labels = {"code": f"{state}-but-live"}
        before = counted(labels)

        reconciling.compare(controller_id=world.controller_id)

        assert counted(labels) == before + 1
        (record,) = [record for record in caplog.records if record.levelname == "CRITICAL"]
        assert labels["code"] in record.getMessage()
