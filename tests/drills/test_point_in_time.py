"""A real PostgreSQL, put back by the scripts from a base backup and WAL to before an erasure."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import DjangoDbBlocker

from core import clock, runtime
from core.api import problems
from governance.adapters.participant import participant
from tests.fakes import backup_folders
from tests.fakes.site import Site
from tests.fakes.world import world as make_world
from tests.servers import own_postgres
from tests.servers.backup_jobs import ROOT, Jobs
from tests.servers.own_postgres import OwnPostgres
from vault.domain.gate import Reason
from vault.errors import RestoreReplayRequired, SubjectErased
from vault.models import Shredding, Subject
from vault.services import backup_rows, backups, reading

pytestmark = [pytest.mark.fault, pytest.mark.long]

_PATIENCE = 60.0
_ARCHIVING = """
archive_mode = on
archive_command = '{scripts}/archive-wal.sh {wal} %p %f'
"""


class Place:
    """A PostgreSQL that archives, the jobs that back it up, and those that put it back."""

    def __init__(self, folder: Path, journal: Path, template: OwnPostgres) -> None:
        self.folder = folder
        self.jobs = Jobs(folder, journal)
        (folder / "live").mkdir()
        self.live = OwnPostgres(folder / "live")
        self.live.copy_of(template)
        own_postgres.give_away(self.jobs.backups / "wal")
        conf = _ARCHIVING.format(scripts=self.jobs.scripts, wal=self.jobs.backups / "wal")
        with (self.live.data / "postgresql.conf").open("a") as file:
            file.write(conf)

    def back_up(self) -> Path:
        return Path(
            self.jobs.run(
                "postgres-backup.sh",
                PGHOST="127.0.0.1",
                PGPORT=str(self.live.port),
                PGUSER="postgres",
            )
        )

    def moment(self) -> str:
        """Now, by the server's clock, with every change before it in the archive's reach."""
        ((now,),) = self.live.sql("SELECT clock_timestamp()::text")
        return str(now)

    def archive_all(self) -> None:
        """Close the segment in use and wait until it is in the archive."""
        ((name,),) = self.live.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
        self.live.sql("SELECT pg_switch_wal()")
        wait_until((self.jobs.backups / "wal" / str(name)).exists)

    def put_back(self, backup: Path, moment: str) -> OwnPostgres:
        """A second server with the first one's past; it has promoted itself."""
        (self.folder / "restored").mkdir()
        restored = OwnPostgres(self.folder / "restored")
        self.jobs.run(
            "postgres-restore.sh",
            "--backup", str(backup), "--data", str(restored.data), "--time", moment,
        )  # fmt: skip
        own_postgres.give_away(restored.folder)
        restored.start()
        wait_until(lambda: restored.sql("SELECT pg_is_in_recovery()") == [(False,)])
        return restored


def wait_until(is_so: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + _PATIENCE
    while not is_so():
        assert time.monotonic() < ends_at, "PostgreSQL did not get there"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def template(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[OwnPostgres]:
    with django_db_blocker.unblock(), own_postgres.migrated() as made:
        yield made


@pytest.fixture
def place(transactional_db: None, template: OwnPostgres, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        made = Place(stack.enter_context(own_postgres.folder()), tmp_path / "journal", template)
        stack.callback(made.live.end)
        made.live.start()
        yield made


@pytest.fixture
def site(place: Place, tmp_path: Path) -> Iterator[Site]:
    with (
        own_postgres.served_by("127.0.0.1", place.live.port),
        make_world(tmp_path) as world,
        runtime.override(participants=[participant()]),
    ):
        made = Site(world, tmp_path)
        made.tend()
        yield made


class TestPointInTime:
    def test_forgets_nobody_again(self, place: Place, site: Site) -> None:
        ada, bo = site.person("ada"), site.person("bo")
        backup = place.back_up()
        site.person("cleo")
        moment = place.moment()
        erasure_id = site.erase(ada)
        site.withdraw(bo)
        site.tend()
        place.archive_all()
        place.live.stop("fast")

        restored = place.put_back(backup, moment)
        try:
            with own_postgres.served_by("127.0.0.1", restored.port):
                self.assert_closed(site)
                assert set(Subject.objects.values_list("state", flat=True)) == {"live"}

                call_command("migrate", database="owner", verbosity=0)
                site.replay()
                site.run()

                assert site.tend() is Reason.IN_STEP
                assert Shredding.objects.get(erasure_id=erasure_id).state == "verified"
                assert site.readable() == {b'{"name":"cleo"}'}
                with pytest.raises(SubjectErased):
                    reading.custody_read(controller_id=site.world.controller_id, subject_id=ada)
                self.assert_attests(place, site)
        finally:
            restored.end()

    def assert_closed(self, site: Site) -> None:
        """Before the eraser has looked, and after."""
        for reason in ("server-changed", "database-behind"):
            assert Client().get("/readyz").json()["gate"]["reason"] == reason
            with pytest.raises(RestoreReplayRequired) as caught:
                site.world.page()
            assert problems.status_of(caught.value) == 503
            assert site.tend() is Reason.DATABASE_BEHIND

    def assert_attests(self, place: Place, site: Site) -> None:
        """The folders, as the scripts left them, are what the inventory reads."""
        before = Subject.objects.earliest("created_at").created_at
        for name, folder in (("base", "base"), ("wal", "wal")):
            call_command(
                "attest_backup", f"--{name}", str(place.jobs.backups / folder), "--keep-days=35"
            )
        assert backups.attested(store="database", after=before)


class TestScripts:
    def test_keep_the_journal_out_of_every_job(self, place: Place) -> None:
        inside = str(place.live.data / "journal")
        at = {"PGHOST": "127.0.0.1", "PGPORT": str(place.live.port), "PGUSER": "postgres"}

        for journal in (inside, str(place.jobs.backups / "journal"), str(place.folder)):
            done = place.jobs.attempt("postgres-backup.sh", LETHE_JOURNAL_DIR=journal, **at)
            assert "(journal-in-backup)" in done.stderr
        assert list((place.jobs.backups / "base").iterdir()) == []

    def test_lay_nothing_over_a_data_directory(self, place: Place) -> None:
        backup = place.back_up()

        done = place.jobs.attempt(
            "postgres-restore.sh", "--backup", str(backup), "--data", str(place.live.data)
        )

        assert "(data-directory-in-use)" in done.stderr

    def test_restore_nothing_that_was_changed(self, place: Place) -> None:
        backup = place.back_up()
        (backup / "PG_VERSION").write_text("17\n")

        done = place.jobs.attempt(
            "postgres-restore.sh", "--backup", str(backup), "--data", str(place.folder / "new")
        )

        assert "(backup-sums-mismatch)" in done.stderr
        assert not (place.folder / "new").exists()

    def test_delete_what_is_too_old_but_not_the_last(self, place: Place) -> None:
        aged = [place.jobs.age(place.back_up(), name=f"2026010{n}T000000Z") for n in (1, 2)]
        (place.jobs.backups / "base" / "20260103T000000Z.partial").mkdir()

        newest = place.back_up()

        assert list((place.jobs.backups / "base").iterdir()) == [newest]
        assert not any(path.exists() for path in aged)

    def test_state_what_they_made(self, place: Place) -> None:
        place.back_up()
        place.archive_all()
        backup_folders.snapshot(place.jobs.snapshots, clock.now())
        url = f"postgresql://lethe_app@127.0.0.1:{place.live.port}/{own_postgres.DATABASE}"

        place.jobs.run(
            "attest.sh",
            LETHE_MANAGE=f"{sys.executable} {ROOT / 'manage.py'}",
            LETHE_DEVELOPMENT="1",
            DATABASE_URL=url,
        )

        with own_postgres.served_by("127.0.0.1", place.live.port):
            found = {slot.place.kind: len(slot.copies) for slot in backup_rows.slots()}
        assert found == {"database-backup": 1, "wal-archive": 1, "key-store-snapshot": 1}
