"""The inventory of backups: what it refuses, what it promises, what it does when it is attacked."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from django.db import connections
from django.db.utils import ProgrammingError

from core.errors import ServiceError
from core.models import AuditEvent
from tests.fakes.inventory import DAYS, OPERATOR, SCRIPT, Shelves, state
from tests.fakes.world import World
from vault.domain.backups import Copy, Doubt, Horizon, Kind, Source
from vault.models import BackupAttestation, BackupInventory
from vault.services import backup_rows, backup_statements, backups

BASE, WAL, SNAPSHOT = Kind.DATABASE_BACKUP, Kind.WAL_ARCHIVE, Kind.KEY_STORE_SNAPSHOT


@pytest.fixture
def shelves(world: World) -> Shelves:
    return Shelves(world)


def owner(statement: str) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement)


def code_of(caught: pytest.ExceptionInfo[ServiceError]) -> str:
    return caught.value.code


class TestAttest:
    @pytest.mark.parametrize(
        ("change", "code"),
        [
            pytest.param({"began_at": 1}, "backup-in-the-future", id="begun-in-the-future"),
            pytest.param({"ended_at": 1}, "backup-in-the-future", id="ended-in-the-future"),
            pytest.param({"gone_at": 1}, "backup-in-the-future", id="gone-in-the-future"),
            pytest.param({"expires_at": -1}, "backup-expiry-passed", id="ended-in-the-past"),
            pytest.param({"ended_at": -9}, "backup-malformed", id="ended-before-it-began"),
            pytest.param({"gone_at": -9}, "backup-malformed", id="gone-before-it-began"),
        ],
    )
    def test_refuses_a_declaration_that_cannot_be(
        self, world: World, change: dict[str, int], code: str
    ) -> None:
        copy = Copy(label="tape-1", began_at=world.now - 5 * DAYS, expires_at=world.now + DAYS)
        moved: dict[str, Any] = {name: world.now + days * DAYS for name, days in change.items()}
        bad = replace(copy, **moved)

        with pytest.raises(ServiceError) as caught:
            state(BASE, bad, now=world.now, source=Source.DECLARATION)

        assert code_of(caught) == code
        assert BackupInventory.objects.count() == 0

    @pytest.mark.parametrize("label", ["Ada Lovelace", "ada@example.org", "", "x" * 121])
    def test_refuses_names_that_say_more_than_a_name(self, world: World, label: str) -> None:
        with pytest.raises(backup_statements.BackupMalformed):
            state(BASE, Copy(label=label, began_at=world.now), now=world.now)

    def test_takes_no_declaration_from_a_process(self, world: World) -> None:
        with pytest.raises(backup_statements.OperatorNeeded):
            state(BASE, now=world.now, source=Source.DECLARATION, actor=SCRIPT)

    def test_refuses_an_empty_place_that_was_not_empty(
        self, world: World, shelves: Shelves
    ) -> None:
        shelves.make(BASE, "b1")
        shelves.state(BASE)
        shelves.lying.clear()

        with pytest.raises(backup_statements.BackupMissing):
            shelves.state(BASE)
        with pytest.raises(backup_statements.OperatorNeeded):
            shelves.state(BASE, gone=("b1",), actor=SCRIPT)
        assert shelves.state(BASE, gone=("b1",)).ended == 1

    def test_does_not_believe_that_what_is_listed_is_gone(
        self, world: World, shelves: Shelves
    ) -> None:
        shelves.make(BASE, "b1")
        shelves.state(BASE)

        for label in ("b1", "b2"):
            with pytest.raises(backup_statements.BackupStillThere):
                shelves.state(BASE, gone=(label,))

    def test_says_what_is_there_after_its_end(self, world: World, shelves: Shelves) -> None:
        shelves.make(BASE, "b1", keep=2)
        world.later(days=3)

        assert shelves.state(BASE, actor=SCRIPT).overdue == ("b1",)

    def test_does_not_let_a_copy_become_younger(self, world: World, shelves: Shelves) -> None:
        copy = shelves.make(BASE, "b1")
        shelves.state(BASE)
        younger = replace(copy, began_at=world.later(days=1), ended_at=None)

        with pytest.raises(backup_statements.BackupMoved):
            state(BASE, younger, now=world.now)

    def test_knows_a_copy_that_was_renamed(self, world: World, shelves: Shelves) -> None:
        old = Copy(
            label="b1", began_at=world.now, expires_at=world.now + 2 * DAYS, evidence="ab" * 32
        )
        state(BASE, old, now=world.now)
        at = world.later(days=3)
        renamed = replace(old, label="b2", began_at=at, expires_at=at + 30 * DAYS)

        state(BASE, renamed, now=world.now)

        (slot,) = backup_rows.slots()
        kept = {copy.label: copy for copy in slot.copies}
        assert kept["b1"].gone_at is not None
        assert kept["b2"].began_at == old.began_at

    def test_keeps_only_what_changed(self, world: World, shelves: Shelves) -> None:
        shelves.make(BASE, "b1")
        for _ in range(3):
            shelves.state(BASE)

        assert (BackupInventory.objects.count(), BackupAttestation.objects.count()) == (3, 1)

    def test_is_audited_with_the_one_who_declared(self, world: World, shelves: Shelves) -> None:
        stated = shelves.state(BASE, source=Source.DECLARATION)

        event = AuditEvent.objects.get(action="vault.backup.stated")
        assert event.actor_id == BackupInventory.objects.get().declared_by == OPERATOR.id
        assert event.details["digest"] == stated.digest


class TestAttested:
    def test_knows_a_backup_that_began_after(self, world: World, shelves: Shelves) -> None:
        before = world.now
        assert not backups.attested(store="database", after=before)
        world.later(minutes=1)
        copy = shelves.make(BASE, "b1")
        shelves.state(BASE)

        assert backups.attested(store="database", after=before)
        assert not backups.attested(store="database", after=copy.began_at)
        assert not backups.attested(store="key-store", after=before)

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"ended_at": None}, id="unfinished"),
            pytest.param({"expires_at": -1}, id="overdue"),
        ],
    )
    def test_does_not_count_one_that_may_be_no_use(
        self, world: World, change: dict[str, int | None]
    ) -> None:
        at = world.now
        copy = Copy(label="s1", began_at=at, ended_at=at, expires_at=at + DAYS)
        moved: dict[str, Any] = {k: v and at + v * DAYS for k, v in change.items()}
        state(SNAPSHOT, replace(copy, **moved), now=at)

        assert not backups.attested(store="key-store", after=at - DAYS)

    def test_does_not_count_one_that_is_gone_or_another_servers(
        self, world: World, shelves: Shelves
    ) -> None:
        before = world.now - DAYS
        shelves.make(BASE, "b1")
        state(BASE, *shelves.lying[BASE, "main"], now=world.now, cluster="7001")
        assert not backups.attested(store="database", after=before)
        shelves.state(BASE)
        assert backups.attested(store="database", after=before)
        shelves.lying.clear()
        shelves.state(BASE, gone=("b1",))
        assert not backups.attested(store="database", after=before)

    def test_does_not_take_an_archive_of_wal_for_a_backup(
        self, world: World, shelves: Shelves
    ) -> None:
        shelves.make(WAL, "w1")
        shelves.state(WAL)

        assert not backups.attested(store="database", after=world.now - DAYS)


class TestHorizon:
    def judged(self, world: World, destroyed_at: datetime) -> Horizon:
        return backups.horizon(destroyed_at=destroyed_at, now=world.now)

    def test_is_known_once_everything_was_looked_at_after_its_end(
        self, world: World, shelves: Shelves
    ) -> None:
        shelves.make(BASE, "b1", keep=30)
        shelves.make(SNAPSHOT, "s1", keep=7)
        destroyed = world.later(hours=1)
        assert self.judged(world, destroyed).doubt is Doubt.MISSING
        shelves.state_all()
        assert self.judged(world, destroyed) == Horizon(None, Doubt.NOT_SINCE)
        world.later(days=2)
        shelves.state_all()
        told = self.judged(world, destroyed)
        assert (told.doubt, told.until) == (Doubt.EXISTS, shelves.lying[BASE, "main"][0].expires_at)
        world.later(days=30)
        assert self.judged(world, destroyed).doubt is Doubt.TOO_OLD
        shelves.purge()
        looked = world.now
        shelves.state_all()

        clear = self.judged(world, destroyed)
        assert clear.doubt is None
        assert clear.until is not None
        assert looked <= clear.until <= world.now
        assert {item.source for item in clear.items} == {Source.LISTING}

    def test_is_unknown_with_a_backup_without_an_end(self, world: World, shelves: Shelves) -> None:
        shelves.make(BASE, "b1", keep=None)
        destroyed = world.now
        world.later(days=2)
        shelves.state_all()

        assert self.judged(world, destroyed) == Horizon(None, Doubt.WITHOUT_END)

    def test_is_unknown_while_a_file_is_there_after_its_end(
        self, world: World, shelves: Shelves
    ) -> None:
        shelves.make(BASE, "b1", keep=3)
        destroyed = world.now
        world.later(days=5)
        shelves.state_all()

        assert self.judged(world, destroyed) == Horizon(None, Doubt.OVERDUE)

    def test_leaves_out_what_began_later(self, world: World, shelves: Shelves) -> None:
        destroyed = world.now
        world.later(days=2)
        shelves.make(BASE, "b1", keep=400)
        shelves.state_all()

        assert self.judged(world, destroyed).until == destroyed

    def test_says_when_it_rests_on_a_word(self, world: World, shelves: Shelves) -> None:
        shelves.make(BASE, "b1", keep=3)
        shelves.state_all()
        destroyed = world.now
        world.later(days=2)
        shelves.lying.clear()
        shelves.state(BASE, gone=("b1",))
        shelves.state_all()

        told = self.judged(world, destroyed)
        by_kind = {item.kind: item.source for item in told.items}
        assert (told.doubt, by_kind[BASE]) == (None, Source.DECLARATION)
        assert by_kind[SNAPSHOT] is Source.LISTING

    def test_needs_every_place_ever_stated(self, world: World, shelves: Shelves) -> None:
        shelves.make(BASE, "b1", name="old-site", keep=3)
        shelves.state(BASE, name="old-site")
        destroyed = world.now
        del shelves.lying[BASE, "old-site"]
        world.later(days=5)
        shelves.state_all()
        assert self.judged(world, destroyed).doubt is Doubt.NOT_SINCE

        shelves.state(BASE, name="old-site")
        assert self.judged(world, destroyed).doubt is None


class TestCleared:
    def test_asks_only_for_the_store(self, world: World, shelves: Shelves) -> None:
        shelves.make(BASE, "b1", keep=2)
        shelves.make(SNAPSHOT, "s1", keep=300)
        since = world.now
        shelves.state_all()
        assert not backups.cleared(store="database", since=since, now=world.now)
        world.later(days=3)
        assert not backups.cleared(store="database", since=since, now=world.now)
        shelves.purge()
        shelves.state_all()

        assert backups.cleared(store="database", since=since, now=world.now)
        assert not backups.cleared(store="key-store", since=since, now=world.now)


class TestTamperedInventory:
    """A database administrator who takes a backup out of the inventory hastens nothing."""

    @pytest.fixture
    def destroyed(self, world: World, shelves: Shelves) -> datetime:
        shelves.make(BASE, "b1", keep=300)
        shelves.make(SNAPSHOT, "s1", keep=1)
        shelves.state_all()
        at = world.now
        world.later(days=2)
        shelves.purge()
        shelves.state_all()
        assert backups.horizon(destroyed_at=at, now=world.now).doubt is Doubt.EXISTS
        return at

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM vault_backupattestation WHERE label = 'b1'",
            "UPDATE vault_backupattestation SET expires_at = began_at WHERE label = 'b1'",
            "UPDATE vault_backupattestation SET began_at = began_at + interval '9 days'",
            "DELETE FROM vault_backupattestation; DELETE FROM vault_backupinventory",
            (
                "DELETE FROM vault_backupattestation WHERE inventory_id > 5;"
                " DELETE FROM vault_backupinventory WHERE number > 5"
            ),
            (
                "DELETE FROM vault_backupattestation WHERE inventory_id < 3;"
                " DELETE FROM vault_backupinventory WHERE number < 3"
            ),
            "UPDATE vault_backupinventory SET previous = '' WHERE number = 8",
        ],
    )  # fmt: skip
    def test_makes_nothing_clear_and_takes_no_more(
        self, world: World, shelves: Shelves, destroyed: datetime, statement: str
    ) -> None:
        owner(statement)

        told = backups.horizon(destroyed_at=destroyed, now=world.now)
        assert told == Horizon(None, Doubt.BROKEN)
        with pytest.raises(backup_statements.InventoryBroken):
            shelves.state(BASE)

    def test_can_be_begun_again_by_a_named_operator(
        self, world: World, shelves: Shelves, destroyed: datetime
    ) -> None:
        owner("DELETE FROM vault_backupattestation WHERE label = 'b1'")
        with pytest.raises(backup_statements.OperatorNeeded):
            shelves.state(BASE, anew=True, actor=SCRIPT)
        shelves.state(BASE, anew=True)
        told = backups.horizon(destroyed_at=destroyed, now=world.now)
        assert told.doubt is Doubt.MISSING

        shelves.state_all()
        told = backups.horizon(destroyed_at=destroyed, now=world.now)
        assert told.doubt is Doubt.EXISTS

    @pytest.mark.parametrize(
        ("table", "column"), [("inventory", "at"), ("attestation", "label"), ("clearance", "at")]
    )
    def test_is_not_the_apps_to_rewrite(self, world: World, table: str, column: str) -> None:
        for act in (f"UPDATE {{}} SET {column} = {column}", "DELETE FROM {}"):
            with connections["default"].cursor() as cursor, pytest.raises(ProgrammingError):
                cursor.execute(act.format(f"vault_backup{table}"))
