"""`manage.py attest_backup` on folders, on declarations, and its answers to what cannot be."""

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.services import staff
from tests.fakes import backup_folders as folders
from tests.fakes.world import World
from vault.domain.backups import Source
from vault.models import BackupInventory
from vault.services import backup_rows, backups, gate

OPERATOR = "una@acme.example"


def run(*arguments: str) -> str:
    said = StringIO()
    call_command("attest_backup", *arguments, stdout=said)
    return said.getvalue()


def failed(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    return str(caught.value)


@pytest.fixture
def base(world: World, tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    folder.mkdir()
    system = gate.identity().system_identifier
    folders.base_backup(folder, world.now - timedelta(hours=1), system=system)
    return folder


@pytest.fixture
def operator(world: World) -> str:
    staff.create(
        email=OPERATOR, password=None, roles=["operator"], controller_id=None,
        actor=world.actor, now=world.now,
    )  # fmt: skip
    return f"--operator={OPERATOR}"


class TestListing:
    def test_attests_what_the_folder_holds(self, world: World, base: Path) -> None:
        assert "Statement 1: 1 of kind database-backup" in run(f"--base={base}", "--keep-days=7")

        assert backups.attested(store="database", after=world.now - timedelta(hours=2))
        assert BackupInventory.objects.get().source == Source.LISTING

    def test_attests_snapshots_and_wal(self, world: World, tmp_path: Path) -> None:
        system = gate.identity().system_identifier
        for name in ("wal", "snaps"):
            (tmp_path / name).mkdir()
        folders.segment(tmp_path / "wal", 1, world.now, system=system)
        folders.snapshot(tmp_path / "snaps", world.now)

        run(f"--wal={tmp_path / 'wal'}", "--keep-days=7")
        run(f"--snapshots={tmp_path / 'snaps'}", "--keep-days=7")

        assert backups.attested(store="key-store", after=world.now - timedelta(hours=1))
        assert len(backup_rows.slots()) == 2

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ([], "Say with --keep-days"),
            (["--keep-days=0"], "Say with --keep-days"),
            (["--keep-days=7", "--copy=a,b,c"], "--copy is for --declare"),
            (["--keep-days=7", "--place=Bad Place"], "backup-malformed"),
            (["--keep-days=7", "--cluster=42"], "backup-foreign"),
            (["--keep-days=7", "--gone=x"], "backup-operator-needed"),
            (["--keep-days=7", "--anew"], "backup-operator-needed"),
            (["--keep-days=7", "--operator=nobody@acme.example"], "role operator"),
        ],
    )
    def test_says_what_is_wrong_and_keeps_nothing(
        self, base: Path, arguments: list[str], said: str
    ) -> None:
        assert said in failed(f"--base={base}", *arguments)
        assert BackupInventory.objects.count() == 0

    def test_refuses_an_unmounted_folder(self, world: World, base: Path, tmp_path: Path) -> None:
        run(f"--base={base}", "--keep-days=7")
        (tmp_path / "empty").mkdir()

        assert "(backup-missing)" in failed(f"--base={tmp_path / 'empty'}", "--keep-days=7")
        assert "(backup-folder-missing)" in failed(f"--base={tmp_path / 'none'}", "--keep-days=7")

    def test_takes_no_empty_folder_for_a_sign(self, world: World, tmp_path: Path) -> None:
        (tmp_path / "wal").mkdir()

        assert "(backup-folder-empty)" in failed(f"--wal={tmp_path / 'wal'}", "--keep-days=7")

    def test_is_an_error_while_a_file_is_there_after_its_end(self, base: Path) -> None:
        assert "(backup-overdue)" in failed(f"--base={base}", "--keep-days=0.01")
        assert BackupInventory.objects.count() == 1


class TestDeclaration:
    def test_takes_the_word_of_an_operator(self, world: World, operator: str) -> None:
        until = world.now + timedelta(days=90)
        copy = f"node-2,{world.now - timedelta(days=9):%Y-%m-%dT%H:%MZ},{until:%Y-%m-%dT%H:%MZ}"

        run("--declare=retired-disk", f"--copy={copy}", operator)
        assert "1 exist" in run("--declare=key-store-residue", operator) + run()
        run("--declare=retired-disk", "--gone=node-2", operator)

        (slot,) = [one for one in backup_rows.slots() if one.copies]
        assert slot.copies[0].gone_by is Source.DECLARATION

    def test_lets_what_it_does_not_name_stand(self, world: World, operator: str) -> None:
        for name in ("node-1", "node-2"):
            copy = f"{name},2026-01-01T00:00Z,{world.now + timedelta(days=9):%Y-%m-%dT%H:%MZ}"
            run("--declare=retired-disk", f"--copy={copy}", operator)
        assert "2 exist" in run()
        world.later(days=10)

        assert "0 of kind retired-disk in main, 2 ended" in run("--declare=retired-disk", operator)

    @pytest.mark.parametrize(
        ("copy", "said"),
        [
            ("node-2", "Not NAME,BEGAN,EXPIRES"),
            ("node-2,yesterday,2030-01-01T00:00Z", "Not NAME,BEGAN,EXPIRES"),
            ("node-2,2026-01-01,2030-01-01T00:00Z", "Not NAME,BEGAN,EXPIRES"),
            ("node-2,2029-01-01T00:00Z,2030-01-01T00:00Z", "(backup-in-the-future)"),
            ("node-2,2026-01-01T00:00Z,2026-01-02T00:00Z", "(backup-expiry-passed)"),
            ("Ada Lovelace,2026-01-01T00:00Z,2030-01-02T00:00Z", "(backup-malformed)"),
        ],
    )
    def test_refuses_what_cannot_be(self, operator: str, copy: str, said: str) -> None:
        assert said in failed("--declare=retired-disk", f"--copy={copy}", operator)
        assert BackupInventory.objects.count() == 0

    def test_needs_a_person(self, world: World) -> None:
        assert "(backup-operator-needed)" in failed("--declare=retired-disk")


class TestShow:
    def test_names_what_was_never_stated(self, world: World) -> None:
        said = run()

        assert said.count("never stated") == 5
        assert str(gate.identity().system_identifier) in said
