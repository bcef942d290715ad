"""Snapshots of a real three-node Vault from before people, or a rotation: LOST, then found."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from pytest_django import Settings

from core import effects
from tests.drills.conftest import RealSite
from tests.fakes import rotations
from tests.fakes.rotations import back_up, begin, clear, go_on, own, readable, versions
from vault.domain.gate import Reason
from vault.errors import KeyLost
from vault.models import KeyShare, LostVersion, Subject
from vault.ports import ShareRef, ShareState
from vault.services import keys, losing, replaying
from vault.services.losing import LossNotAccepted

pytestmark = [pytest.mark.vault, pytest.mark.fault, pytest.mark.long]


@pytest.fixture(autouse=True)
def inventory(settings: Settings) -> Iterator[None]:
    settings.LETHE_BACKUPS_ATTESTED = rotations.ATTESTED
    settings.LETHE_BACKUPS_CLEARED = rotations.CLEARED
    with rotations.inventory():
        yield


def state_of(subject_id: UUID) -> str:
    return KeyShare.objects.get(subject=subject_id).state


def share_of(subject_id: UUID) -> ShareRef:
    return keys.share_ref(KeyShare.objects.get(subject=subject_id))


class TestShares:
    def test_made_after_the_snapshot_are_lost_until_the_right_one_is_back(
        self, site: RealSite
    ) -> None:
        ada = site.person("ada")
        older = site.snapshot()
        bo = site.person("bo")
        newer = site.snapshot()
        site.world.later(minutes=2)
        site.tend()

        site.put_back_keys(older)
        assert site.tend() is Reason.KEY_STORE_BEHIND  # though nothing had been destroyed
        with pytest.raises(LossNotAccepted):
            replaying.apply(now=site.world.now)
        replay = site.replay()
        assert (replay.counts["lost"], state_of(ada), state_of(bo)) == (1, "live", "lost")
        assert readable(site) == {b'{"name":"ada"}'}
        with pytest.raises(KeyLost):
            own(site, bo)
        assert site.world.record(bo, "r2").outcome == "key-lost"

        site.put_back_keys(newer)
        assert losing.find(now=site.world.now).again == 1
        assert state_of(bo) == "live"
        assert readable(site) == {b'{"name":"ada"}', b'{"name":"bo"}'}

    def test_lost_and_erased_are_destroyed_once_a_snapshot_brings_them_back(
        self, site: RealSite
    ) -> None:
        older = site.snapshot()
        bo = site.person("bo")
        share = share_of(bo)
        newer = site.snapshot()
        site.put_back_keys(older)
        losing.find(now=site.world.now, accepted_by=site.world.actor)
        site.erase(bo)
        assert site.states(share) == {ShareState.ABSENT}

        site.put_back_keys(newer)
        assert site.states(share) == {ShareState.LIVE}
        assert site.tend() is Reason.KEY_STORE_BEHIND
        site.replay()

        assert site.states(share) == {ShareState.DESTROYED}
        assert Subject.objects.get(id=bo).state == "erased"


class TestVersions:
    def rotate(self, site: RealSite, *, custody: bool) -> None:
        begin(site, custody=custody)
        go_on(site)
        back_up(site, "key-store")
        assert go_on(site) == "rewrapped"

    def test_of_a_purpose_lost_with_the_snapshot_are_said_and_mended(self, site: RealSite) -> None:
        ada = site.person("ada")
        older = site.snapshot()
        (before,) = versions()
        self.rotate(site, custody=False)
        assert versions() == {before + 1}

        site.put_back_keys(older)
        assert losing.find(now=site.world.now).versions == 1
        with pytest.raises(KeyLost):
            readable(site)
        assert own(site, ada) == [b'{"name":"ada"}']
        effects.sweep(queue="default", now=site.world.now)

        assert (versions(), LostVersion.objects.count()) == ({before}, 0)
        assert readable(site) == {b'{"name":"ada"}'}
        losing.find(now=site.world.now)
        assert go_on(site) == "rotated"

    def test_of_custody_lost_with_the_snapshot_are_back_with_the_right_one(
        self, site: RealSite
    ) -> None:
        ada = site.person("ada")
        older = site.snapshot()
        self.rotate(site, custody=True)
        newer = site.snapshot()

        site.put_back_keys(older)
        assert losing.find(now=site.world.now).versions == 1
        with pytest.raises(KeyLost):
            own(site, ada)
        assert readable(site) == {b'{"name":"ada"}'}

        site.put_back_keys(newer)
        assert losing.find(now=site.world.now).versions == 0
        assert own(site, ada) == [b'{"name":"ada"}']
        clear(site)
        assert go_on(site) == "done"
