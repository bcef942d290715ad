"""A journal that is gone for good, and the new one that two operators answer for."""

import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from accounts.services import staff
from core import clock, failpoints, runtime
from core.actors import process_actor
from tests.fakes.points import Killed
from tests.fakes.site import Site, killer
from tests.fakes.world import World
from tests.servers import restores
from vault.adapters.directory_journal import DirectoryJournal
from vault.adapters.journal import reader
from vault.domain.gate import Reason
from vault.models import KeyShare, Shredding
from vault.services import gate, replaying

pytestmark = pytest.mark.long
EMAILS = ("una@clinic.example", "otto@clinic.example")


@pytest.fixture
def site(world: World, tmp_path: Path, settings: Settings) -> Iterator[Site]:
    settings.LETHE_PROCESS = "eraser"
    settings.LETHE_JOURNAL_DIR = tmp_path / "journal"
    settings.LETHE_JOURNAL_MIRRORS = [tmp_path / "mirror"]
    for email in EMAILS:
        staff.create(
            email=email, password=None, roles=["operator"], controller_id=None,
            actor=process_actor("command"), now=clock.now(),
        )  # fmt: skip
    made = Site(world, tmp_path)
    made.tend()
    with runtime.override(journal_reader=reader()):
        yield made


def lose(site: Site) -> None:
    """Both volumes are gone, and new ones are mounted."""
    site.world.journal.close()
    for name in ("journal", "mirror"):
        shutil.rmtree(site.folder / name)
        (site.folder / name).mkdir()


def refound(*emails: str, accept_loss: bool = False) -> str:
    out = StringIO()
    named = [f"--operator={email}" for email in emails or EMAILS]
    more = ["--accept-loss"] if accept_loss else []
    call_command("refound_journal", *named, *more, stdout=out)
    return out.getvalue()


def reopened(site: Site) -> DirectoryJournal:
    return DirectoryJournal(site.folder / "journal", mirrors=[site.folder / "mirror"])


class TestRefoundJournal:
    def test_opens_the_gate_again_and_counts_on(self, site: Site) -> None:
        site.erase(site.person("ada"))
        site.person("bo")
        lose(site)
        assert site.tend() is Reason.JOURNAL_UNAVAILABLE

        said = refound()

        assert "counting from 1" in said
        with reopened(site) as journal, runtime.override(journal=journal):
            assert site.tend() is Reason.IN_STEP
            assert site.readable() == {b'{"name":"bo"}'}
            site.erase(site.person("cy"))
            assert journal.head().ordinal == 2
            assert site.tend() is Reason.IN_STEP

    def test_carries_on_a_destruction_that_was_under_way(self, site: Site) -> None:
        erasure_id = site.fence(site.person("ada"))
        with (
            failpoints.installed(killer("vault.destroy.journaled", [])),
            pytest.raises(Killed),
        ):
            site.run()
        lose(site)

        refound()

        with reopened(site) as journal, runtime.override(journal=journal):
            site.run()
            assert Shredding.objects.get(erasure_id=erasure_id).state == "verified"
            assert [str(e.kind) for e in journal.entries()].count("destruction") == 1

    def test_destroys_again_what_a_restored_key_store_brought_back(self, site: Site) -> None:
        ada = site.person("ada")
        kid = KeyShare.objects.get(subject=ada).kid.bytes
        keys = site.snapshot()
        site.erase(ada)
        site.put_back_keys(keys)
        lose(site)

        said = refound()

        assert said.count("1 key shares had to be destroyed again")
        assert site.world.custodian.shares[kid] is None

    @pytest.mark.parametrize("emails", [EMAILS[:1], (EMAILS[0], EMAILS[0])], ids=["one", "same"])
    def test_needs_two_persons(self, site: Site, emails: tuple[str, ...]) -> None:
        lose(site)

        with pytest.raises(CommandError, match="two-operators-needed"):
            refound(*emails)

        assert list((site.folder / "journal").iterdir()) == []

    def test_refuses_somebody_without_the_role(self, site: Site) -> None:
        lose(site)

        with pytest.raises(CommandError, match="role operator"):
            refound(EMAILS[0], "nobody@clinic.example")

    def test_writes_over_no_journal_that_is_there(self, site: Site) -> None:
        site.world.journal.close()

        with pytest.raises(CommandError, match="already there"):
            refound()

    def test_says_what_is_lost_when_the_database_was_restored_too(self, site: Site) -> None:
        ada = site.person("ada")
        backup = site.dump()
        site.erase(ada)
        restores.put_back(backup)
        lose(site)

        with pytest.raises(CommandError, match="loss-not-accepted"):
            refound()
        refound(accept_loss=True)

        with reopened(site) as journal, runtime.override(journal=journal):
            assert site.tend() is Reason.IN_STEP
            assert journal.head().ordinal == 1

    def test_bars_a_backup_from_before_an_earlier_refounding(self, site: Site) -> None:
        """Vault follows a journal of which the restored database has never heard."""
        ada = site.person("ada")
        backup = site.dump()
        lose(site)
        refound()
        with reopened(site) as journal, runtime.override(journal=journal):
            site.tend()
            site.erase(ada)
        restores.put_back(backup)
        for name in ("journal", "mirror"):
            shutil.rmtree(site.folder / name)
            (site.folder / name).mkdir()

        with pytest.raises(CommandError, match="loss-not-accepted"):
            refound()
        said = refound(accept_loss=True)

        assert "counting from 1" in said

    def test_takes_a_key_store_from_before_an_earlier_refounding(self, site: Site) -> None:
        site.erase(site.person("ada"))
        keys = site.snapshot()
        lose(site)
        refound()
        site.put_back_keys(keys)
        for name in ("journal", "mirror"):
            shutil.rmtree(site.folder / name)
            (site.folder / name).mkdir()

        assert "counting from 1" in refound()

    def test_bars_every_older_backup(self, site: Site) -> None:
        site.person("ada")
        backup = site.dump()
        lose(site)
        refound()

        with reopened(site) as journal, runtime.override(journal=journal):
            assert site.tend() is Reason.IN_STEP
            restores.put_back(backup)
            assert site.tend() is Reason.JOURNAL_REPLACED
            with pytest.raises(replaying.ReplayImpossible):
                replaying.apply(now=site.world.now)

    def test_goes_on_after_a_crash_between_journal_and_database(self, site: Site) -> None:
        site.erase(site.person("ada"))
        lose(site)
        with (
            failpoints.installed(killer("vault.refound.marked", [])),
            pytest.raises(Killed),
        ):
            refound()

        said = refound()

        assert "counting from 1" in said
        with reopened(site) as journal, runtime.override(journal=journal):
            assert site.tend() is Reason.IN_STEP


class TestSecondEraser:
    def test_leaves_the_gate_to_the_one_that_writes(self, site: Site) -> None:
        """Such as an operator's `manage.py sweep shred` beside the running eraser."""
        assert site.tend() is Reason.IN_STEP

        with runtime.override():
            runtime._made.pop("journal")
            assert site.tend() is None

        assert gate.state().is_open
