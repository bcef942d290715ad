"""Backups beside re-keys: old ones do not keep what was removed, none loses what was kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from core import effects, failpoints
from core.unit_of_work import unit_of_work
from tests.fakes import backups
from tests.fakes.points import Killed
from tests.fakes.rekeys import Office, state
from tests.fakes.rekeys import office as make_office
from tests.fakes.world import World
from tests.servers import restores
from vault.errors import KeyLost
from vault.models import CustodyGrant, KeyShare, Rekey, SealedRecord, Shredding
from vault.ports import GrantFailure, GrantToOpen
from vault.services import expiring as expiring_
from vault.services import (
    gatekeeper,
    keys,
    locks,
    reading,
    rekeying,
    releasing,
    replaying,
)
from vault.services.grants import CategoryRef

pytestmark = pytest.mark.long


@pytest.fixture
def office(world: World, settings: Settings) -> Iterator[Office]:
    settings.LETHE_BACKUPS_ATTESTED = backups.PATH
    gatekeeper.tend(now=world.now)
    with make_office(world) as made:
        yield made


def replay(office: Office) -> None:
    now = office.world.now
    gatekeeper.tend(now=now)
    replaying.apply(now=now)
    gatekeeper.tend(now=now)
    replaying.verify(now=now)
    gatekeeper.tend(now=now)


def read(office: Office) -> list[bytes]:
    rows = reading.custody_read(controller_id=office.world.controller_id, subject_id=office.subject)
    return [row.document for row in rows]


def run(office: Office) -> None:
    for _ in range(5):
        for store in ("key-store", "database"):
            office.back_up(store)
        office.world.later(minutes=10)
        gatekeeper.tend(now=office.world.now)
        for queue in ("default", "shred", "attest"):
            effects.sweep(queue=queue, now=office.world.now)


def opened(office: Office) -> set[object]:
    """What the key store makes of every custody grant that this database holds."""
    held = CustodyGrant.objects.select_related("data_key__share")
    return set(
        office.world.custodian.open_grants(
            [
                GrantToOpen(keys.share_ref(row.data_key.share), keys.CUSTODY, bytes(row.wrapped))
                for row in held
            ]
        )
    )


class TestOldBackup:
    def test_does_not_open_once_the_old_key_is_destroyed(
        self, office: Office, tmp_path: Path
    ) -> None:
        before = restores.take(tmp_path / "before.dump")
        office.erase()
        run(office)
        assert state() == "done"

        restores.put_back(before)

        assert SealedRecord.objects.filter(record_id=office.gone).count() == 2
        assert opened(office) == {GrantFailure.SHARE_DESTROYED}

    def test_says_that_what_was_kept_is_lost_when_it_is_too_old(
        self, office: Office, tmp_path: Path
    ) -> None:
        before = restores.take(tmp_path / "before.dump")
        office.erase()
        run(office)

        restores.put_back(before)
        replay(office)

        assert office.versions(office.gone) == []
        with pytest.raises(KeyLost):
            reading.custody_read(
                controller_id=office.world.controller_id, subject_id=office.subject
            )

    def test_of_an_expired_group_expires_again(self, office: Office, tmp_path: Path) -> None:
        office.world.category = CategoryRef(office.world.category.category_id, "main")
        main, office.world.category = office.world.category, CategoryRef(office.subject, "logs")
        office.world.record(office.subject, "l1", b'{"log":1}')
        office.world.category = main
        before = restores.take(tmp_path / "before.dump")
        with unit_of_work():
            expiring_.expire(
                controller_id=office.world.controller_id, subject_id=office.subject,
                group="logs", actor=office.world.actor, open_leases=0, now=office.world.now,
            )  # fmt: skip
        run(office)

        restores.put_back(before)
        replay(office)
        run(office)

        assert KeyShare.objects.get(group="logs").state == "destroyed"
        assert office.documents() == {b'{"n":2}', b'{"n":4}'}
        read = reading.custody_read(
            controller_id=office.world.controller_id, subject_id=office.subject
        )
        assert {row.document for row in read} == office.documents()


class TestBackupBetweenSwapAndDestruction:
    def test_loses_nothing(self, office: Office, tmp_path: Path) -> None:
        office.erase()
        office.swap()
        between = restores.take(tmp_path / "between.dump")
        run(office)

        restores.put_back(between)
        replay(office)
        run(office)

        assert office.documents() == {b'{"n":4}'}
        assert office.versions(office.kept) == [b'{"n":3}', b'{"n":4}']
        assert state() == "done"
        assert office.shares() == [("destroyed", False), ("live", True)]


class TestReplay:
    """`rekeying.replay`, as the journal's replay calls it."""

    def test_removes_again_and_begins_anew(self, office: Office, tmp_path: Path) -> None:
        before = restores.take(tmp_path / "before.dump")
        office.erase()
        office.work()
        unused = Rekey.objects.get().new_share_id
        gatekeeper.tend(now=office.world.now)

        restores.put_back(before)
        replay(office)
        assert office.versions(office.gone) == []
        assert state() == "planned"
        assert Rekey.objects.get().new_share_id != unused
        run(office)

        assert state() == "done"
        assert office.documents() == {b'{"n":4}'}
        assert office.world.custodian.shares[unused.bytes] is None
        assert KeyShare.objects.get(kid=unused).state == "destroyed"

    def test_goes_on_with_one_that_the_backup_knows(self, office: Office, tmp_path: Path) -> None:
        office.leak()
        gatekeeper.tend(now=office.world.now)
        known = restores.take(tmp_path / "known.dump")
        office.erase()
        office.work()
        gatekeeper.tend(now=office.world.now)

        restores.put_back(known)
        replay(office)
        assert office.versions(office.gone) == []
        run(office)

        assert Rekey.objects.count() == 1
        assert office.shares() == [("destroyed", False), ("live", True)]
        assert office.documents() == {b'{"n":4}'}

    def test_ends_a_share_that_sealed_what_was_removed_later(
        self, office: Office, tmp_path: Path
    ) -> None:
        """Leak, rows sealed anew, backup; swapped, record erased; then the backup is put back."""
        office.leak()
        office.work()
        office.back_up("key-store")
        stop_at(office, "vault.rekey.wrapped")
        staged = Rekey.objects.get().new_share_id
        gatekeeper.tend(now=office.world.now)
        midway = restores.take(tmp_path / "midway.dump")
        office.work()
        assert state() == "swapped"
        office.erase()
        gatekeeper.tend(now=office.world.now)

        restores.put_back(midway)
        replay(office)
        run(office)
        run(office)

        assert office.documents() == {b'{"n":4}'}
        assert office.world.custodian.shares[staged.bytes] is None
        assert [row for row in office.shares() if row[0] == "live"] == [("live", True)]
        assert SealedRecord.objects.count() == 2

    def test_of_one_whom_the_backup_has_fenced_ends_with_the_erasure(
        self, office: Office, tmp_path: Path
    ) -> None:
        """Fenced, backup; called off, re-keyed; then the backup is put back, and the fence."""
        erasure_id = office.fence()
        fenced = restores.take(tmp_path / "fenced.dump")
        with unit_of_work():
            locks.cancel(erasure_id=erasure_id, actor=office.world.actor, now=office.world.now)
        office.leak()
        run(office)
        (young,) = KeyShare.objects.filter(state="live").values_list("kid", flat=True)

        restores.put_back(fenced)
        gatekeeper.tend(now=office.world.now)
        replay(office)
        assert KeyShare.objects.get(kid=young).state == "retired"
        releasing.release(
            erasure_ids=[erasure_id], officer=office.world.actor, now=office.world.now
        )
        run(office)

        assert Shredding.objects.get(erasure_id=erasure_id).state == "verified"
        assert set(office.world.custodian.shares.values()) == {None}
        assert KeyShare.objects.get(kid=young).state == "destroyed"

    def test_under_a_fence_that_is_called_off_says_that_it_is_lost(
        self, office: Office, tmp_path: Path
    ) -> None:
        """Too old a backup, fenced before the replay, called off: no silence about it."""
        old = restores.take(tmp_path / "old.dump")
        office.leak()
        run(office)
        restores.put_back(old)
        gatekeeper.tend(now=office.world.now)
        erasure_id = office.fence()

        replay(office)
        with unit_of_work():
            locks.cancel(erasure_id=erasure_id, actor=office.world.actor, now=office.world.now)

        assert KeyShare.objects.filter(subject=office.subject, state="lost").count() == 1
        with pytest.raises(KeyLost):
            read(office)

    def test_under_a_fence_that_goes_on_ends_with_it(self, office: Office, tmp_path: Path) -> None:
        old = restores.take(tmp_path / "old.dump")
        office.leak()
        run(office)
        restores.put_back(old)
        gatekeeper.tend(now=office.world.now)
        erasure_id = office.fence()

        replay(office)
        releasing.release(
            erasure_ids=[erasure_id], officer=office.world.actor, now=office.world.now
        )
        run(office)

        assert Shredding.objects.get(erasure_id=erasure_id).state == "verified"
        assert set(office.world.custodian.shares.values()) == {None}

    def test_may_be_repeated(self, office: Office) -> None:
        rekey = office.erase()
        body = {
            "controller_id": str(office.world.controller_id),
            "subject_id": str(office.subject),
            "group": "main",
            "cluster": "default",
            "old_kid": rekey.old_share_id.hex,
            "new_kid": rekey.new_share_id.hex,
            "rows": [],
            "reason": "erasure",
        }
        for _ in range(2):
            with unit_of_work():
                rekeying.replay(body, office.world.now)

        assert Rekey.objects.count() == 1
        assert KeyShare.objects.count() == 2


def stop_at(office: Office, point: str) -> None:
    def kill(reached: str) -> None:
        if reached == point:
            raise Killed

    with failpoints.installed(kill), pytest.raises(Killed):
        office.work()
    office.world.later(minutes=10)
