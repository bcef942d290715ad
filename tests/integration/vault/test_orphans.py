"""Keys made after the backup that was put back: an erasure does not know them, and they end."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from accounts.services import staff
from core import effects, failpoints
from core.models import AuditEvent
from core.unit_of_work import unit_of_work
from governance.models import Certificate
from tests.fakes.losses import read, state_of
from tests.fakes.points import Killed
from tests.fakes.site import Site, killer
from tests.servers import restores
from vault import runtime
from vault.domain.gate import Reason
from vault.errors import KeyLost, ShredBlocked
from vault.models import DestructionAttestation, KeyShare, Shredding
from vault.ports import ShareRef, ShareState
from vault.services import key_cache, locks, orphans, reconciling

pytestmark = pytest.mark.long
#: Whether copies of the database from before a time are gone, as the inventory would say.
ENDED = {"is": False}


def cleared(*, store: str, since: object, now: object) -> bool:
    assert store == "database"
    assert since is not None
    assert now is not None
    return ENDED["is"]


@pytest.fixture(autouse=True)
def inventory(settings: Settings) -> Iterator[None]:
    settings.LETHE_BACKUPS_CLEARED = f"{__name__}.cleared"
    ENDED["is"] = False
    yield
    ENDED["is"] = False


def lives(site: Site, kid: UUID) -> bool:
    refs = [ShareRef(kid.bytes, site.world.controller_id)]
    readings = runtime.custodian().read_destruction(refs)
    return any(reading.state is ShareState.LIVE for reading in readings)


def forget_bo(site: Site) -> tuple[UUID, UUID, Path]:
    """Ada; a backup; Bo; another backup; then the first is put back. Bo, Bo's key, the other."""
    ada = site.person("ada")
    older = site.dump("older")
    bo = site.person("bo")
    kid = KeyShare.objects.get(subject=bo).kid
    newer = site.dump("newer")
    site.withdraw(ada)
    site.tend()
    put_back(site, older)
    return bo, kid, newer


def put_back(site: Site, dump: Path) -> None:
    restores.put_back(dump)
    key_cache.cache().clear()
    site.world.later(minutes=1)
    if site.tend() is not Reason.IN_STEP:
        site.replay()
    site.run()


class TestFind:
    def test_writes_down_what_a_restored_database_does_not_know(self, site: Site) -> None:
        _, kid, _ = forget_bo(site)

        row = KeyShare.objects.get(kid=kid)
        assert (row.subject_id, row.state) == (None, "retired")
        assert [(one.controller_id, one.count) for one in orphans.waiting()] == [
            (site.world.controller_id, 1)
        ]
        assert AuditEvent.objects.filter(action="vault.share.orphaned").count() == 1
        assert reconciling.compare(controller_id=site.world.controller_id).is_clean

    def test_finds_them_where_the_journal_had_nothing_to_replay(self, site: Site) -> None:
        dump = site.dump()
        bo = site.person("bo")
        kid = KeyShare.objects.get(subject=bo).kid

        put_back(site, dump)

        assert KeyShare.objects.get(kid=kid).subject_id is None

    def test_leaves_out_what_is_destroyed_already(self, site: Site) -> None:
        dump = site.dump()
        bo = site.person("bo")
        kid = KeyShare.objects.get(subject=bo).kid
        site.erase(bo)

        put_back(site, dump)

        assert not KeyShare.objects.filter(kid=kid).exists()
        assert orphans.waiting() == []

    def test_may_break_off_and_be_repeated(self, site: Site) -> None:
        _, kid, _ = forget_bo(site)
        KeyShare.objects.filter(kid=kid).delete()
        with failpoints.installed(killer("vault.orphans.noted", [])), pytest.raises(Killed):
            orphans.find(now=site.world.now)

        assert orphans.find(now=site.world.now) == 0
        assert KeyShare.objects.filter(kid=kid).count() == 1

    def test_leaves_what_somebody_uses(self, site: Site) -> None:
        ada = site.person("ada")

        assert orphans.find(now=site.world.now) == 0
        assert len(read(site, ada)) == 1


class TestEnd:
    def test_waits_for_the_copies_that_may_name_them(self, site: Site) -> None:
        _, kid, _ = forget_bo(site)

        assert orphans.end_cleared(now=site.world.now) == 0
        site.run()

        assert lives(site, kid)

    def test_destroys_them_read_back_and_without_a_certificate(self, site: Site) -> None:
        _, kid, _ = forget_bo(site)
        ENDED["is"] = True

        assert orphans.end_cleared(now=site.world.now) == 1
        assert orphans.end_cleared(now=site.world.now) == 0
        site.run()

        assert not lives(site, kid)
        row = Shredding.objects.get(scope="orphans")
        assert row.state == "verified"
        body = DestructionAttestation.objects.get(erasure_id=row.erasure_id).body
        assert [share["state"] for share in body["shares"]] == ["destroyed"]
        assert not Certificate.objects.filter(erasure_id=row.erasure_id).exists()
        effects.sweep(queue="attest", now=site.world.now)
        assert KeyShare.objects.get(kid=kid).state == "destroyed"

    def test_does_nothing_while_the_gate_is_closed(self, site: Site) -> None:
        _, kid, _ = forget_bo(site)
        ENDED["is"] = True
        ada = site.person("cleo")
        dump = site.dump("closed")
        site.erase(ada)
        restores.put_back(dump)
        site.tend()

        assert orphans.end_cleared(now=site.world.now) == 0
        assert lives(site, kid)


class TestGiveUp:
    def test_destroys_them_though_a_copy_names_them(self, site: Site) -> None:
        bo, kid, newer = forget_bo(site)

        count = orphans.give_up(
            controller_id=site.world.controller_id, officer=site.world.actor, now=site.world.now
        )
        site.run()

        assert count == 1
        assert not lives(site, kid)
        put_back(site, newer)
        assert state_of(bo) == "lost"
        with pytest.raises(KeyLost):
            read(site, bo)

    def test_is_refused_while_any_lock_is_in_force(self, site: Site) -> None:
        _, kid, _ = forget_bo(site)
        cleo = site.person("cleo")
        lock = site.lock(cleo)

        with pytest.raises(ShredBlocked):
            orphans.give_up(
                controller_id=site.world.controller_id, officer=site.world.actor, now=site.world.now
            )
        with unit_of_work():
            locks.lift(
                controller_id=site.world.controller_id, lock_id=lock.id, actor=site.world.actor,
                now=site.world.now,
            )  # fmt: skip

        assert lives(site, kid)

    def test_leaves_those_of_another_controller(self, site: Site) -> None:
        _, kid, _ = forget_bo(site)

        count = orphans.give_up(controller_id=uuid4(), officer=site.world.actor, now=site.world.now)

        assert count == 0
        assert lives(site, kid)


class TestLaterBackup:
    def test_put_back_before_they_end_has_its_people_again(self, site: Site) -> None:
        bo, _, newer = forget_bo(site)

        put_back(site, newer)

        assert len(read(site, bo)) == 1
        assert orphans.waiting() == []


class TestCommand:
    def test_lists_them_by_controller(self, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
        forget_bo(site)

        call_command("orphaned_keys")

        said = capsys.readouterr().out
        assert said.startswith("1 keys are nobody's.\n")
        assert ": 1, found " in said

    def test_gives_up_in_an_officers_name(
        self, site: Site, capsys: pytest.CaptureFixture[str]
    ) -> None:
        _, kid, _ = forget_bo(site)
        with pytest.raises(CommandError, match="--officer"):
            call_command("orphaned_keys", "--give-up")
        staff.create(
            email="dpo@example.com", password=None, roles=["dpo"], controller_id=None,
            actor=site.world.actor, now=site.world.now,
        )  # fmt: skip

        call_command("orphaned_keys", "--give-up", "--officer", "dpo@example.com")
        site.run()

        assert "1 keys are given up" in capsys.readouterr().out
        assert not lives(site, kid)
