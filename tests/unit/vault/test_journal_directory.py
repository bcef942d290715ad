import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vault.adapters import directory_journal
from vault.adapters.directory_journal import DirectoryJournal, read_entries
from vault.errors import JournalUnavailable
from vault.ports import JournalReceipt

AT = datetime(2026, 3, 9, 10, tzinfo=UTC)
ID = "00000000-0000-4000-8000-000000000001"


def body(kid: str = "ab" * 16) -> dict[str, object]:
    item = {"erasure_id": ID, "scope": "subject", "kids": [kid], "tags": []}
    return {"controller_id": ID, "cluster": "default", "items": [item]}


BODY = body()


class Places:
    """A journal with one mirror, opened and filled as a test needs."""

    def __init__(self, root: Path) -> None:
        self.primary, self.mirror = root / "primary", root / "mirror"
        directory_journal.found(self.primary, mirrors=[self.mirror], now=AT, journal_id=UUID(int=1))

    def open(self, segment_bytes: int = 8 << 20) -> DirectoryJournal:
        return DirectoryJournal(
            self.primary, mirrors=[self.mirror], segment_bytes=segment_bytes, reserve_bytes=4096
        )

    def fill(self, count: int, segment_bytes: int = 8 << 20) -> JournalReceipt:
        with self.open(segment_bytes) as journal:
            for _ in range(count):
                append(journal)
            return journal.head()

    def files(self, directory: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in directory.glob("*.jsonl")}

    def last_file(self, directory: Path) -> Path:
        return max(directory.glob("*.jsonl"))


def append(journal: DirectoryJournal) -> JournalReceipt:
    return journal.append(kind="destruction", body=BODY, now=AT)


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


class TestAppend:
    def test_writes_the_same_bytes_to_every_volume(self, places: Places) -> None:
        with places.open(segment_bytes=900) as journal:
            receipts = [append(journal) for _ in range(10)]

        assert [receipt.sequence for receipt in receipts] == list(range(1, 11))
        assert places.files(places.primary) == places.files(places.mirror)
        assert len(places.files(places.primary)) > 2

    def test_is_found_again_after_reopening(self, places: Places) -> None:
        receipt = places.fill(3, segment_bytes=900)

        with places.open(segment_bytes=900) as journal:
            assert journal.head() == receipt
            assert journal.repairs == []
            assert append(journal).sequence == 4
            assert [entry.sequence for entry in journal.entries(after=2)] == [3, 4]

    def test_refuses_identity(self, places: Places) -> None:
        with places.open() as journal, pytest.raises(ValueError, match="may not have"):
            journal.append(kind="destruction", body={**BODY, "name": "Ada"}, now=AT)

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

            assert [repair.what for repair in journal.repairs] == ["reserve-used"]
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


class TestOpening:
    @pytest.mark.parametrize("side", ["primary", "mirror"])
    def test_cuts_a_torn_tail_and_keeps_it_aside(self, places: Places, side: str) -> None:
        receipt = places.fill(2)
        directory: Path = getattr(places, side)
        with places.last_file(directory).open("ab") as file:
            file.write(b'{"at":"20')

        with places.open() as journal:
            assert journal.head() == receipt
            assert [repair.what for repair in journal.repairs] == ["torn-tail-cut"]

        assert [path.read_bytes() for path in directory.glob("torn-*")] == [b'{"at":"20']
        assert places.files(places.primary) == places.files(places.mirror)

    @pytest.mark.parametrize("segment_bytes", [1, 8 << 20], ids=["new-segment", "same-segment"])
    def test_catches_up_a_mirror_that_lacks_the_last_entry(
        self, places: Places, segment_bytes: int, tmp_path: Path
    ) -> None:
        places.fill(2, segment_bytes)
        shutil.copytree(places.mirror, tmp_path / "older")
        receipt = places.fill(1, segment_bytes)
        shutil.rmtree(places.mirror)
        shutil.copytree(tmp_path / "older", places.mirror)

        with places.open(segment_bytes) as journal:
            assert journal.head() == receipt
            assert [repair.what for repair in journal.repairs] == ["caught-up"]

        assert places.files(places.primary) == places.files(places.mirror)

    def test_restores_an_acknowledged_entry_whose_line_was_cut_short(self, places: Places) -> None:
        receipt = places.fill(2)
        path = places.last_file(places.primary)
        path.write_bytes(path.read_bytes()[:-5])

        with places.open() as journal:
            assert journal.head() == receipt

        assert places.files(places.primary) == places.files(places.mirror)

    @pytest.mark.parametrize("side", ["primary", "mirror"])
    def test_refuses_a_copy_that_is_behind_by_more(
        self, places: Places, side: str, tmp_path: Path
    ) -> None:
        directory: Path = getattr(places, side)
        shutil.copytree(directory, tmp_path / "older")
        places.fill(2)
        shutil.rmtree(directory)
        shutil.copytree(tmp_path / "older", directory)

        with pytest.raises(JournalUnavailable, match="do not agree"):
            places.open()

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
        with places.open(), pytest.raises(JournalUnavailable, match="Another process"):
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

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data())
    def test_recovers_from_a_crash_at_any_byte(self, tmp_path: Path, data: st.DataObject) -> None:
        shutil.rmtree(tmp_path / "crash", ignore_errors=True)
        places = Places(tmp_path / "crash")
        acknowledged = places.fill(2)
        length = places.last_file(places.primary).stat().st_size
        places.fill(1)
        line = places.last_file(places.primary).stat().st_size - length
        written = data.draw(st.integers(0, 2 * line))
        for directory, part in ((places.primary, written), (places.mirror, written - line)):
            path = places.last_file(directory)
            path.write_bytes(path.read_bytes()[: length + max(0, min(part, line))])

        with places.open() as journal:
            assert journal.head().sequence in {acknowledged.sequence, acknowledged.sequence + 1}
            append(journal)
            assert journal.verify() == []
        assert places.files(places.primary) == places.files(places.mirror)


class TestVerify:
    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_names_the_entry_with_a_flipped_bit(self, tmp_path: Path, data: st.DataObject) -> None:
        shutil.rmtree(tmp_path / "flip", ignore_errors=True)
        places = Places(tmp_path / "flip")
        places.fill(3)
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
