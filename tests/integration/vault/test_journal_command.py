from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, transaction
from pytest_django.fixtures import Settings

from core import clock, runtime
from core.models import AuditEvent, SigningKey
from core.unit_of_work import unit_of_work
from tests.fakes.custodian import FakeSigner
from tests.fakes.journals import AT, Places, append
from vault.adapters.directory_journal import read_entries
from vault.domain.journal import EntryKind, chained
from vault.models import Destruction
from vault.services import journal

DAY = timedelta(days=1)
SIGNER = FakeSigner("eraser")


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("journal", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def places(transactional_db: None, settings: Settings, tmp_path: Path) -> Iterator[Places]:
    """Destructions of 100, 60 and 10 days ago, each in a segment; the database is in step."""
    made = Places(tmp_path)
    settings.LETHE_JOURNAL_DIR, settings.LETHE_JOURNAL_MIRRORS = made.primary, [made.mirror]
    settings.LETHE_PROCESS = "eraser"
    now = clock.now()
    with made.open(1) as opened, unit_of_work():
        for ordinal, days in enumerate((100, 60, 10), start=1):
            receipt = append(opened, 1, now - days * DAY)
            Destruction.objects.create(
                journal_id=receipt.journal_id,
                ordinal=ordinal,
                sequence=receipt.sequence,
                settled_at=now - days * DAY,
            )
        journal.move_head(receipt, now=now)
    with runtime.override(signer=SIGNER):
        yield made


def before(days: int) -> str:
    return (clock.now() - days * DAY).isoformat()


class TestVerify:
    def test_says_of_each_copy_what_it_holds(self, places: Places) -> None:
        said = run("verify")

        assert said.count("entries: 4 (sequence 0 to 3)") == 2
        assert said.count("right") == 2

    def test_fails_and_names_the_first_wrong_entry(self, places: Places) -> None:
        path = places.mirror / f"{2:020d}.jsonl"
        path.write_bytes(path.read_bytes().replace(b"default", b"defaulu"))

        with pytest.raises(CommandError, match="mirror: entry 2: "):
            run("verify")

    def test_fails_on_a_body_that_its_kind_may_not_have(self, places: Places) -> None:
        last = list(read_entries(places.primary))[-1]
        (entry,) = chained([(EntryKind.RELEASED, {"officer": "Ada"})], after=last.head(), now=AT)
        for directory in places.both:
            (directory / f"{4:020d}.jsonl").write_bytes(entry.line())

        with pytest.raises(CommandError, match=r"entry 4: .* needs erasures"):
            run("verify")

    def test_says_what_the_next_start_repairs(self, places: Places) -> None:
        places.last_file(places.mirror).unlink()
        with places.last_file(places.primary).open("ab") as file:
            file.write(b"{")

        said = run("verify")

        assert "a torn line of 1 bytes" in said
        assert "lacks the last batch, 1 entries" in said

    def test_checks_the_signature_of_a_summary(self, places: Places) -> None:
        run("summarise", "--before", before(50))
        assert "WRONG" not in run("verify")
        SigningKey.objects.using("owner").filter(holder="eraser").update(public=bytes(32))

        with pytest.raises(CommandError, match="not signed by a key of the eraser"):
            run("verify")

    def test_says_when_no_database_answers(self, places: Places) -> None:
        run("summarise", "--before", before(50))

        with transaction.atomic(), connection.cursor() as cursor:
            with pytest.raises(DatabaseError):
                cursor.execute("SELECT 1 / 0")  # nothing is answered any more
            said = run("verify")
            transaction.set_rollback(True)

        assert "signature was NOT checked" in said


class TestShow:
    def test_prints_entries_of_a_kind_after_a_place(self, places: Places) -> None:
        lines = run("show", "--kind", "destruction", "--after", "1").splitlines()

        assert [line.split()[0] for line in lines] == ["2", "3"]

    def test_begins_with_the_summary(self, places: Places) -> None:
        run("summarise", "--before", before(50))

        lines = run("show").splitlines()

        assert lines[0].startswith("0 to 2: 2 destruction, 1 genesis; ")
        assert [line.split()[0] for line in lines[1:]] == ["3"]


class TestSummarise:
    def test_leaves_evidence(self, places: Places) -> None:
        assert "2 destruction, 1 genesis" in run("summarise", "--before", before(50))

        event = AuditEvent.objects.get(action="vault.journal.summarised")
        assert event.details == {"sequence": 2, "segments": 3}
        assert [key.holder for key in SigningKey.objects.all()] == ["eraser"]
        with places.open() as opened:
            assert opened.verify() == []

    @pytest.mark.parametrize("text", ["34 days", "yesterday"])
    def test_refuses_a_date_that_backups_may_have(self, places: Places, text: str) -> None:
        date = before(34) if text == "34 days" else text

        with pytest.raises(CommandError, match=r"LETHE_BACKUP_HORIZON_DAYS|takes a date"):
            run("summarise", "--before", date)

    def test_is_refused_to_other_processes(self, places: Places, settings: Settings) -> None:
        settings.LETHE_PROCESS = "command"

        with pytest.raises(CommandError, match="as the eraser"):
            run("summarise", "--before", before(50))

    def test_is_refused_while_the_eraser_runs(self, places: Places) -> None:
        with places.open(), pytest.raises(CommandError, match="Another process"):
            run("summarise", "--before", before(50))

    def test_is_refused_while_the_database_is_behind(self, places: Places) -> None:
        with places.open(1) as opened:
            append(opened)

        with pytest.raises(CommandError, match="restored from a backup"):
            run("summarise", "--before", before(50))

    @pytest.mark.parametrize("settled_days_ago", [None, 40])
    def test_keeps_destructions_that_were_not_settled_by_then(
        self, places: Places, settled_days_ago: int | None
    ) -> None:
        at = None if settled_days_ago is None else clock.now() - settled_days_ago * DAY
        Destruction.objects.filter(journal_id=UUID(int=1), ordinal=2).update(settled_at=at)

        assert run("summarise", "--before", before(50)).startswith("0 to 1: ")
        assert run("summarise", "--before", before(50)).startswith("No whole segment")
