"""The reconciler names what the two stores see differently and changes nothing."""

import os
from uuid import uuid4

from core.unit_of_work import unit_of_work
from tests.fakes.world import World
from vault.models import KeyShare
from vault.ports import ShareRef
from vault.services import reconciling, shredding


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
