"""Restores of a real PostgreSQL and a real three-node Vault, each alone and both."""

from uuid import UUID

import pytest

from tests.drills.conftest import RealSite
from tests.servers import restores
from vault.domain.gate import Reason
from vault.errors import KeyLost
from vault.models import KeyShare, Shredding, Subject
from vault.ports import ShareRef, ShareState
from vault.services import key_cache, keys, reading

pytestmark = [pytest.mark.vault, pytest.mark.fault, pytest.mark.long]

DESTROYED = {ShareState.DESTROYED}


def share_of(site: RealSite, subject_id: UUID) -> ShareRef:
    return keys.share_ref(KeyShare.objects.get(subject=subject_id))


class TestThreeNodes:
    def test_key_store_restored_alone_forgets_nobody(self, site: RealSite) -> None:
        ada, bo = site.person("ada"), site.person("bo")
        share = share_of(site, ada)
        snapshot = site.snapshot()
        site.erase(ada)
        assert site.states(share) == DESTROYED

        site.put_back_keys(snapshot)
        assert site.states(share) == {ShareState.LIVE}
        assert site.tend() is Reason.KEY_STORE_BEHIND
        site.replay()

        assert site.states(share) == DESTROYED
        assert site.readable() == {b'{"name":"bo"}'}
        assert Subject.objects.get(id=bo).state == "live"

    def test_leader_changed_between_destruction_and_restore(self, site: RealSite) -> None:
        ada = site.person("ada")
        share = share_of(site, ada)
        snapshot = site.snapshot()
        site.erase(ada)
        site.change_leader()
        site.put_back_keys(snapshot)
        site.change_leader()

        assert site.tend() is Reason.KEY_STORE_BEHIND
        site.replay()

        assert site.states(share) == DESTROYED

    def test_both_restored_to_before_an_erasure(self, site: RealSite) -> None:
        ada, bo = site.person("ada"), site.person("bo")
        share = share_of(site, ada)
        backup, snapshot = site.dump(), site.snapshot()
        erasure_id = site.erase(ada)
        site.withdraw(bo)
        site.tend()

        restores.put_back(backup)
        site.put_back_keys(snapshot)
        assert site.tend() is Reason.DATABASE_BEHIND
        site.replay()
        site.run()

        assert site.states(share) == DESTROYED
        assert Shredding.objects.get(erasure_id=erasure_id).state == "verified"
        assert site.readable() == set()

    def test_an_older_pair_than_intended_and_then_the_right_one(self, site: RealSite) -> None:
        ada, bo = site.person("ada"), site.person("bo")
        older = site.dump("older"), site.snapshot()
        site.erase(ada)
        newer = site.dump("newer"), site.snapshot()
        site.erase(bo)

        for backup, snapshot in (older, newer):
            restores.put_back(backup)
            site.put_back_keys(snapshot)
            assert site.tend() is Reason.DATABASE_BEHIND
            site.replay()
            assert set(Subject.objects.values_list("state", flat=True)) == {"erased"}
            assert site.readable() == set()

    def test_a_share_that_the_restored_store_never_had_is_lost_and_not_erased(
        self, site: RealSite
    ) -> None:
        site.person("ada")
        snapshot = site.snapshot()
        bo = site.person("bo")
        site.put_back_keys(snapshot)
        assert site.tend() is Reason.IN_STEP
        key_cache.cache().clear()

        with pytest.raises(KeyLost):
            reading.custody_read(controller_id=site.world.controller_id, subject_id=bo)
