"""Locks placed on a restored database, before it knows what had been ordered since its backup."""

from collections.abc import Callable
from uuid import UUID

import pytest

from core.models import AuditEvent
from core.unit_of_work import unit_of_work
from tests.fakes.site import Site
from tests.servers import restores
from vault.models import KeyShare, Shredding, ShredLock, Subject
from vault.services import locks

pytestmark = pytest.mark.long


def lock_all(site: Site, _subject: UUID) -> None:
    with unit_of_work():
        locks.place(
            controller_id=site.world.controller_id,
            scope=ShredLock.Scope.CONTROLLER,
            scope_id=site.world.controller_id,
            ground="art17-3-e",
            actor=site.world.actor,
            now=site.world.now,
        )


def lock_one(site: Site, subject: UUID) -> None:
    site.lock(subject)


@pytest.mark.parametrize("lock", [lock_one, lock_all])
class TestLockOfTheRestored:
    def test_comes_too_late_for_an_erasure_that_the_backup_does_not_know(
        self, site: Site, lock: Callable[[Site, UUID], None]
    ) -> None:
        ada = site.person("ada")
        backup = site.dump()
        erasure_id = site.erase(ada)

        restores.put_back(backup)
        lock(site, ada)
        site.tend()
        site.replay()
        site.run()

        assert_erased(site, ada, erasure_id)

    def test_comes_too_late_for_one_that_it_called_off(
        self, site: Site, lock: Callable[[Site, UUID], None]
    ) -> None:
        ada = site.person("ada")
        erasure_id = site.fence(ada)
        backup = site.dump()
        site.run()
        assert Shredding.objects.get(erasure_id=erasure_id).state == "verified"

        restores.put_back(backup)
        lock(site, ada)
        assert Shredding.objects.get(erasure_id=erasure_id).state == "cancelled"
        site.tend()
        site.replay()
        site.run()

        assert_erased(site, ada, erasure_id)


def assert_erased(site: Site, subject: UUID, erasure_id: UUID) -> None:
    """And it is on record that a lock came too late."""
    row = Shredding.objects.get(erasure_id=erasure_id)
    assert (row.state, row.cancelled_at) == ("verified", None)
    assert Subject.objects.get(id=subject).state == "erased"
    assert set(KeyShare.objects.filter(subject=subject).values_list("state", flat=True)) <= {
        "destroyed",
        "absent",
    }
    assert site.readable() == set()
    told = AuditEvent.objects.filter(action="vault.lock.too-late", erasure_id=erasure_id)
    assert told.count() == 1
