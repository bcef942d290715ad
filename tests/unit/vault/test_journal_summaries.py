"""Old segments become one signed summary, and a crash between leaves nothing undecided."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from core import dsse, failpoints
from tests.fakes.custodian import FakeSigner
from tests.fakes.journals import AT, Places, append, whats
from vault.adapters import journal_summary, journal_verifying
from vault.adapters.directory_journal import DirectoryJournal
from vault.adapters.journal_reader import DirectoryReader
from vault.adapters.journal_summary import Summary
from vault.errors import JournalUnavailable

SIGNER = FakeSigner("eraser")
DAY = timedelta(days=1)


class KilledError(Exception):
    """Stands for the end of the process at a failpoint."""


@contextmanager
def killed(at: str, *, after: int) -> Iterator[None]:
    seen = 0

    def hook(point: str) -> None:
        nonlocal seen
        seen += point == at
        if point == at and seen == after:
            raise KilledError

    with failpoints.installed(hook), pytest.raises(KilledError):
        yield


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """One segment for each batch: entry 0, then a batch of two on each of five days."""
    made = Places(tmp_path)
    with made.open(1) as journal:
        for day in range(1, 6):
            append(journal, 2, AT + day * DAY)
    return made


def summarise(
    journal: DirectoryJournal, *, before: datetime = AT + 3 * DAY, settled: int = 100
) -> Summary | None:
    return journal.summarise(before=before, settled=settled, signer=SIGNER, now=AT + 9 * DAY)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("*.json*"))


class TestSummarise:
    def test_replaces_whole_segments_that_are_older_on_every_volume(self, places: Places) -> None:
        old = places.files(places.primary)
        with places.open(1) as journal:
            head = journal.head()
            summary = summarise(journal)

            assert summary is not None
            assert (summary.head.sequence, summary.head.ordinal) == (4, 4)
            assert summary.counts == {"genesis": 1, "destruction": 4}
            assert (summary.first_at, summary.last_at) == (AT, AT + 2 * DAY)
            gone = [f"{first:020d}.jsonl" for first in (0, 1, 3)]
            assert summary.segments == {name: sha256(old[name]).hexdigest() for name in gone}
            assert journal.head() == head
            assert append(journal).sequence == head.sequence + 1
            assert journal.verify() == []
        assert names(places.primary) == names(places.mirror)
        assert names(places.primary)[0] == f"{4:020d}.summary.json"
        assert not set(gone) & set(names(places.primary))

    def test_is_signed_by_the_eraser(self, places: Places) -> None:
        with places.open(1) as journal:
            summary = summarise(journal)

        assert summary is not None
        journal_summary.verify(summary, keys=SIGNER.verifying_keys())
        with pytest.raises(dsse.EnvelopeInvalid):
            journal_summary.verify(summary, keys=FakeSigner("web").verifying_keys())

    @pytest.mark.parametrize(
        ("before", "settled", "last"),
        [
            pytest.param(AT + 9 * DAY, 100, 8, id="never-the-last-segment"),
            pytest.param(AT + 3 * DAY, 3, 2, id="nothing-unsettled"),
            pytest.param(AT + 3 * DAY + timedelta(microseconds=1), 100, 6, id="to-the-instant"),
        ],
    )
    def test_keeps_what_may_be_needed(
        self, places: Places, before: datetime, settled: int, last: int
    ) -> None:
        with places.open(1) as journal:
            summary = summarise(journal, before=before, settled=settled)

        assert summary is not None
        assert summary.head.sequence == last

    def test_changes_nothing_when_nothing_is_old(self, places: Places) -> None:
        before = places.files(places.primary)

        with places.open(1) as journal:
            assert summarise(journal, before=AT) is None

        assert places.files(places.primary) == before

    def test_stands_for_an_older_summary_too(self, places: Places) -> None:
        with places.open(1) as journal:
            summarise(journal)
            summary = summarise(journal, before=AT + 5 * DAY)

            assert summary is not None
            assert summary.head.sequence == 8
            assert summary.counts == {"genesis": 1, "destruction": 8}
            assert (summary.first_at, summary.last_at) == (AT, AT + 4 * DAY)
            assert len(summary.segments) == 5
            assert journal.verify() == []
        assert names(places.mirror) == [f"{8:020d}.summary.json", f"{9:020d}.jsonl"]

    @pytest.mark.parametrize("side", ["primary", "mirror"])
    def test_refuses_a_segment_that_is_wrong_on_one_volume(self, places: Places, side: str) -> None:
        path: Path = getattr(places, side) / f"{1:020d}.jsonl"
        with places.open(1) as journal:
            path.write_bytes(path.read_bytes().replace(b"default", b"defaulu"))

            with pytest.raises(JournalUnavailable):
                summarise(journal)

        assert not list(places.primary.glob("*.summary.json"))
        assert path.exists()

    @pytest.mark.parametrize(
        ("point", "after"),
        [
            ("vault.journal.summary-written", 1),
            ("vault.journal.summary-written", 2),
            *(("vault.journal.segment-removed", after) for after in range(1, 6)),
        ],
    )
    def test_is_finished_by_the_next_opening(self, places: Places, point: str, after: int) -> None:
        with places.open(1) as journal:
            head = journal.head()
            with killed(point, after=after):
                summarise(journal)

        reports = journal_verifying.verify(places.both)
        with places.open(1) as journal:
            assert journal.head() == head
            assert whats(journal)
            assert journal.verify() == []
        assert [report.wrong for report in reports] == ["", ""]
        assert any(report.repairs for report in reports)
        assert places.files(places.primary) == places.files(places.mirror)
        assert len(names(places.primary)) == 4


class TestReading:
    @pytest.fixture
    def reader(self, places: Places) -> DirectoryReader:
        with places.open(1) as journal:
            summarise(journal)
        return DirectoryReader(places.primary)

    def test_goes_on_after_the_summary(self, reader: DirectoryReader) -> None:
        assert [entry.sequence for entry in reader.entries(after=4)] == list(range(5, 11))
        assert [entry.ordinal for entry in reader.destructions(after_ordinal=4)] == [*range(5, 11)]
        assert reader.head().ordinal == 10

    def test_knows_the_hash_where_the_summary_ends(
        self, reader: DirectoryReader, places: Places
    ) -> None:
        (following,) = list(reader.entries(after=4))[:1]

        assert reader.hash_at(sequence=4) == following.previous

    @pytest.mark.parametrize(
        "act",
        [
            pytest.param(lambda reader: list(reader.entries()), id="from-the-start"),
            pytest.param(lambda reader: list(reader.entries(after=3)), id="from-one-removed"),
            pytest.param(lambda reader: list(reader.destructions(after_ordinal=3)), id="ordinal"),
            pytest.param(lambda reader: reader.hash_at(sequence=3), id="hash"),
        ],
    )
    def test_never_passes_over_what_is_gone(
        self, reader: DirectoryReader, act: Callable[[DirectoryReader], object]
    ) -> None:
        with pytest.raises(JournalUnavailable, match="summary"):
            act(reader)


class TestOpening:
    @pytest.fixture(autouse=True)
    def _summarised(self, places: Places) -> None:
        with places.open(1) as journal:
            summarise(journal)

    @pytest.mark.parametrize("side", ["primary", "mirror"])
    def test_refuses_a_copy_that_lost_summary_and_segments(self, places: Places, side: str) -> None:
        directory: Path = getattr(places, side)
        (directory / f"{4:020d}.summary.json").unlink()

        with pytest.raises(JournalUnavailable):
            places.open(1)

    @pytest.mark.parametrize("member", ["hash", "ordinal", "journal_id"])
    def test_refuses_a_summary_that_the_next_entry_does_not_follow(
        self, places: Places, member: str
    ) -> None:
        other = {
            "hash": "ab" * 32,
            "ordinal": 3,
            "journal_id": "00000000-0000-4000-8000-000000000009",
        }
        for directory in places.both:
            path = directory / f"{4:020d}.summary.json"
            found = journal_summary.decode(path.read_bytes())
            envelope = json.loads(found.content)
            statement = dsse.verify(envelope, keys=SIGNER.verifying_keys())
            statement["predicate"][member] = other[member]
            path.write_text(json.dumps(dsse.envelope(statement, signer=SIGNER)))

        with pytest.raises(JournalUnavailable, match="entry 5"):
            places.open(1)

    def test_refuses_copies_with_different_summaries(self, places: Places) -> None:
        path = places.mirror / f"{4:020d}.summary.json"
        path.write_bytes(path.read_bytes() + b" ")

        with pytest.raises(JournalUnavailable, match="do not agree"):
            places.open(1)

    def test_refuses_to_remove_a_segment_that_was_not_summarised(self, places: Places) -> None:
        stray = places.mirror / f"{3:020d}.jsonl"
        stray.write_bytes(b"something else\n")

        with pytest.raises(JournalUnavailable, match="not the segment"):
            places.open(1)

        assert stray.exists()

    def test_refuses_a_mirror_from_before_an_entry_that_is_summarised(
        self, places: Places, tmp_path: Path
    ) -> None:
        shutil.rmtree(places.mirror)
        Places(tmp_path / "other").mirror.rename(places.mirror)

        with pytest.raises(JournalUnavailable):
            places.open(1)
