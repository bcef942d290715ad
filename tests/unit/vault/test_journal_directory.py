import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.journals import AT, ID, Places, append, body, whats
from vault.adapters import directory_journal
from vault.adapters.directory_journal import read_entries, read_head
from vault.adapters.journal_reader import DirectoryReader
from vault.errors import JournalLocked, JournalUnavailable
from vault.ports import JournalDraft


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int, int], None]:
    """Make the n-th call of `os.<name>` from now fail once; counts from 1."""

    def arm(name: str, at: int, code: int) -> None:
        real, calls = getattr(os, name), [0]

        def act(*arguments: Any, **named: Any) -> Any:
            calls[0] += 1
            if calls[0] == at:
                raise OSError(code, "planted")
            return real(*arguments, **named)

        monkeypatch.setattr(os, name, act)

    return arm


class TestFound:
    def test_refuses_a_directory_that_holds_a_journal(self, places: Places) -> None:
        before = places.files(places.primary)

        with pytest.raises(JournalUnavailable):
            directory_journal.found(places.primary, now=AT, journal_id=UUID(int=2))

        assert places.files(places.primary) == before

    @pytest.mark.parametrize("call", ["write", "fsync"])
    def test_leaves_nothing_when_a_mirror_fails(
        self, tmp_path: Path, failing: Callable[[str, int, int], None], call: str
    ) -> None:
        failing(call, {"write": 2, "fsync": 3}[call], errno.EIO)
        with pytest.raises(JournalUnavailable):
            Places(tmp_path)

        assert Places(tmp_path).fill(1).sequence == 1

    def test_goes_on_from_the_ordinal_of_the_journal_before(self, tmp_path: Path) -> None:
        follows: dict[str, object] = {
            "previous": {"journal_id": ID, "sequence": 41, "hash": "ab" * 32},
            "operators": ["psn_1", "psn_2"],
            "barred_before": "2026-03-09T10:00:00.000000Z",
        }
        directory_journal.found(tmp_path, now=AT, journal_id=UUID(int=2), ordinal=7, body=follows)

        with directory_journal.DirectoryJournal(tmp_path) as journal:
            assert append(journal).ordinal == 8
            assert next(iter(journal.entries())).body == follows


class TestAppend:
    def test_writes_the_same_bytes_to_every_volume(self, places: Places) -> None:
        with places.open(segment_bytes=900) as journal:
            receipts = [append(journal) for _ in range(10)]

        assert [receipt.sequence for receipt in receipts] == list(range(1, 11))
        assert places.files(places.primary) == places.files(places.mirror)
        assert len(places.files(places.primary)) > 2

    def test_is_found_again_after_reopening(self, places: Places) -> None:
        receipt = places.fill(1, 1, 1, segment_bytes=900)

        with places.open(segment_bytes=900) as journal:
            assert journal.head() == receipt
            assert journal.repairs == []
            assert append(journal).sequence == 4
            assert [entry.sequence for entry in journal.entries(after=2)] == [3, 4]

    def test_refuses_identity(self, places: Places) -> None:
        with places.open() as journal, pytest.raises(ValueError, match="may not have"):
            journal.append(kind="destruction", body={**body(), "name": "Ada"}, now=AT)

    def test_refuses_an_unknown_kind(self, places: Places) -> None:
        with places.open() as journal, pytest.raises(ValueError, match="gossip"):
            journal.append(kind="gossip", body={}, now=AT)

    def test_is_refused_after_closing(self, places: Places) -> None:
        journal = places.open()
        journal.close()

        with pytest.raises(JournalUnavailable):
            append(journal)

    @pytest.mark.parametrize("call", ["write", "fsync"])
    @pytest.mark.parametrize("volume", [1, 2], ids=["primary", "mirror"])
    @pytest.mark.parametrize("segment_bytes", [1, 8 << 20], ids=["new-segment", "same-segment"])
    def test_leaves_nothing_of_an_entry_that_failed(
        self,
        places: Places,
        failing: Callable[[str, int, int], None],
        call: str,
        volume: int,
        segment_bytes: int,
    ) -> None:
        with places.open(segment_bytes) as journal:
            before = append(journal)
            failing(call, volume, errno.EIO)
            with pytest.raises(JournalUnavailable):
                append(journal)
            assert journal.head() == before

            after = append(journal)

            assert after.sequence == before.sequence + 1
            assert journal.verify() == []
        assert places.files(places.primary) == places.files(places.mirror)

    def test_gives_up_its_reserve_when_the_disk_is_full(
        self, places: Places, failing: Callable[[str, int, int], None]
    ) -> None:
        with places.open() as journal:
            failing("write", 2, errno.ENOSPC)

            assert append(journal).sequence == 1

            assert whats(journal) == ["reserve-used"]
            assert not (places.primary / "reserve").exists()
            assert journal.verify() == []

    def test_is_refused_once_disk_and_reserve_are_full(
        self, places: Places, failing: Callable[[str, int, int], None]
    ) -> None:
        with places.open() as journal:
            for directory in (places.primary, places.mirror):
                (directory / "reserve").unlink()
            failing("write", 1, errno.ENOSPC)

            with pytest.raises(JournalUnavailable):
                append(journal)


class TestAppendMany:
    def test_is_one_sync_for_each_volume(
        self, places: Places, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        synced: list[int] = []
        real = os.fsync

        def counted(file: int) -> None:
            synced.append(file)
            real(file)

        with places.open() as journal:
            append(journal)
            monkeypatch.setattr(os, "fsync", counted)

            append(journal, 50)

            assert len(synced) == 2
            assert journal.verify() == []

    def test_counts_destructions_only(self, places: Places) -> None:
        lifted = {
            "controller_id": ID,
            "lock_id": ID,
            "lifted_by": "psn_1",
            "lifted_at": "2026-03-09T10:00:00.000000Z",
        }
        drafts = [JournalDraft("destruction", body()), JournalDraft("lock-lifted", lifted)] * 2

        with places.open() as journal:
            receipts = journal.append_many(drafts, now=AT)

            assert [receipt.sequence for receipt in receipts] == [1, 2, 3, 4]
            assert [receipt.ordinal for receipt in receipts] == [1, 1, 2, 2]
            assert [entry.ordinal for entry in journal.entries()] == [0, 1, 1, 2, 2]
            assert append(journal).ordinal == 3

    def test_of_nothing_writes_nothing(self, places: Places) -> None:
        with places.open() as journal:
            assert journal.append_many([], now=AT) == []
            assert journal.head().sequence == 0

    def test_writes_nothing_when_one_of_them_is_refused(self, places: Places) -> None:
        drafts = [JournalDraft("destruction", body()), JournalDraft("destruction", {})]
        with places.open() as journal:
            with pytest.raises(ValueError, match="needs"):
                journal.append_many(drafts, now=AT)

            assert append(journal).sequence == 1

    def test_refuses_a_genesis(self, places: Places) -> None:
        with places.open() as journal, pytest.raises(ValueError, match="genesis"):
            journal.append_many([JournalDraft("genesis", {})], now=AT)


class TestOpening:
    @pytest.mark.parametrize("side", ["primary", "mirror"])
    def test_cuts_a_torn_tail_and_keeps_it_aside(self, places: Places, side: str) -> None:
        receipt = places.fill(1, 1)
        directory: Path = getattr(places, side)
        with places.last_file(directory).open("ab") as file:
            file.write(b'{"at":"20')

        with places.open() as journal:
            assert journal.head() == receipt
            assert whats(journal) == ["torn-tail-cut"]

        assert [path.read_bytes() for path in directory.glob("torn-*")] == [b'{"at":"20']
        assert places.files(places.primary) == places.files(places.mirror)

    def test_restores_an_acknowledged_entry_whose_line_was_cut_short(self, places: Places) -> None:
        receipt = places.fill(1, 1)
        path = places.last_file(places.primary)
        path.write_bytes(path.read_bytes()[:-5])

        with places.open() as journal:
            assert journal.head() == receipt

        assert places.files(places.primary) == places.files(places.mirror)

    def test_refuses_copies_with_different_entries(self, places: Places, tmp_path: Path) -> None:
        other = Places(tmp_path / "other")
        places.fill(1)
        with other.open() as journal:
            journal.append(kind="destruction", body=body("cd" * 16), now=AT)
        shutil.rmtree(places.mirror)
        shutil.copytree(other.mirror, places.mirror)

        with pytest.raises(JournalUnavailable, match="do not agree"):
            places.open()

    @pytest.mark.parametrize("side", ["primary", "mirror"])
    @pytest.mark.parametrize("loss", ["absent", "empty"])
    def test_refuses_a_missing_copy_and_never_starts_anew(
        self, places: Places, side: str, loss: str
    ) -> None:
        directory: Path = getattr(places, side)
        shutil.rmtree(directory)
        if loss == "empty":
            directory.mkdir()

        with pytest.raises(JournalUnavailable):
            places.open()

        assert not list(directory.glob("*.jsonl"))

    def test_refuses_a_second_writer_and_then_admits_it(self, places: Places) -> None:
        with places.open(), pytest.raises(JournalLocked):
            places.open()

        with places.open() as journal:
            assert append(journal).sequence == 1

    def test_refuses_a_writer_in_another_process(self, places: Places) -> None:
        script = (
            "import sys; from pathlib import Path\n"
            "from vault.adapters.directory_journal import DirectoryJournal\n"
            "from vault.errors import JournalUnavailable\n"
            "try: DirectoryJournal(Path(sys.argv[1]))\n"
            "except JournalUnavailable as error: sys.exit(error.detail)\n"
        )

        with places.open():
            done = subprocess.run(
                [sys.executable, "-c", script, str(places.primary)],
                capture_output=True,
                text=True,
                check=False,
            )

        assert done.returncode == 1
        assert "Another process" in done.stderr


class TestVerify:
    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_names_the_entry_with_a_flipped_bit(self, tmp_path: Path, data: st.DataObject) -> None:
        shutil.rmtree(tmp_path / "flip", ignore_errors=True)
        places = Places(tmp_path / "flip")
        places.fill(1, 1, 1)
        path = places.last_file(places.mirror)
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 2))
        number = content[:at].count(b"\n")

        with places.open() as journal:
            content[at] ^= 1 << data.draw(st.integers(0, 7))
            path.write_bytes(content)
            findings = journal.verify()

        assert [finding.volume for finding in findings] == [1]
        assert findings[0].text.startswith(f"entry {number}:")

    def test_notices_entries_that_were_cut_off(self, places: Places) -> None:
        with places.open() as journal:
            append(journal)
            path = places.last_file(places.primary)
            path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])

            assert [finding.volume for finding in journal.verify()] == [0]


class TestReader:
    @pytest.mark.parametrize("segment_bytes", [1, 900, 8 << 20])
    def test_reads_from_any_place(self, places: Places, segment_bytes: int) -> None:
        head = places.fill(1, 3, 1, 2, segment_bytes=segment_bytes)
        reader = DirectoryReader(places.primary)
        whole = list(reader.entries())

        assert [entry.sequence for entry in whole] == list(range(8))
        assert reader.head() == head == read_head(places.mirror)
        for entry in whole:
            after = list(reader.entries(after=entry.sequence))
            assert after == whole[entry.sequence + 1 :]
            assert reader.hash_at(sequence=entry.sequence) == entry.hash()
            destroyed = reader.destructions(after_ordinal=entry.ordinal)
            assert [one.ordinal for one in destroyed] == list(range(entry.ordinal + 1, 8))
        assert reader.hash_at(sequence=8) is None

    def test_has_the_last_whole_line_for_a_head(self, places: Places) -> None:
        head = places.fill(1, 1, segment_bytes=1)
        with places.last_file(places.primary).open("ab") as file:
            file.write(b'{"at"')
        (places.primary / f"{3:020d}.jsonl").write_bytes(b"x" * 200_000)

        assert read_head(places.primary) == head

    @pytest.mark.parametrize("what", ["head", "entries", "hash_at", "destructions"])
    @pytest.mark.parametrize("loss", ["absent", "empty"])
    def test_refuses_a_journal_that_is_not_there(
        self, tmp_path: Path, what: str, loss: str
    ) -> None:
        if loss == "empty":
            (tmp_path / "journal").mkdir()
        reader = DirectoryReader(tmp_path / "journal")
        acts: dict[str, Callable[[], object]] = {
            "head": reader.head,
            "entries": lambda: list(reader.entries()),
            "hash_at": lambda: reader.hash_at(sequence=0),
            "destructions": lambda: list(reader.destructions(after_ordinal=0)),
        }

        with pytest.raises(JournalUnavailable):
            acts[what]()


class TestReadEntries:
    def test_needs_no_lock_and_stops_before_a_torn_tail(self, places: Places) -> None:
        with places.open() as journal:
            append(journal)
            with places.last_file(places.primary).open("ab") as file:
                file.write(b'{"at"')

            assert [entry.sequence for entry in read_entries(places.primary)] == [0, 1]

    def test_refuses_a_journal_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(JournalUnavailable):
            list(read_entries(tmp_path / "absent"))
