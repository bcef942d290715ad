"""What crashes, full disks and exchanged volumes leave, on real files."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import failpoints
from tests.fakes.journals import Places, append, whats
from vault.adapters.directory_journal import DirectoryJournal
from vault.errors import JournalUnavailable

_SIDES = pytest.mark.parametrize("side", ["primary", "mirror"])
_SEGMENTS = pytest.mark.parametrize(
    "segment_bytes", [1, 8 << 20], ids=["new-segment", "same-segment"]
)


class KilledError(Exception):
    """Stands for the end of the process at a failpoint."""


@contextmanager
def killed(at: str, *, after: int = 1) -> Iterator[None]:
    """End the block when the point is reached for the n-th time."""
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
    return Places(tmp_path)


def batch_lengths(places: Places) -> tuple[Path, int, int]:
    """The last segment's name, its length before and after a batch of three."""
    with places.open() as journal:
        append(journal, 2)
        path = places.last_file(places.primary)
        before = path.stat().st_size
        append(journal, 3)
    return path, before, path.stat().st_size


class TestTornBatch:
    def test_is_mended_at_every_byte(self, places: Places) -> None:
        """Written on the primary up to some byte, not yet on the mirror."""
        path, before, after = batch_lengths(places)
        content = path.read_bytes()
        starts = [i + 1 for i, byte in enumerate(content) if byte == 10]
        for length in range(before, after + 1):
            path.write_bytes(content[:length])
            (places.mirror / path.name).write_bytes(content[:before])
            whole = sum(start <= length for start in starts)

            with places.open() as journal:
                assert journal.head().sequence == whole - 1
                expected = ["torn-tail-cut"] * (length not in starts)
                assert whats(journal) == expected + ["caught-up"] * (length >= starts[3])
            for aside in places.primary.glob("torn-*"):
                aside.unlink()
            assert places.files(places.primary) == places.files(places.mirror)

    @settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data())
    def test_recovers_from_a_crash_at_any_byte_of_either_copy(
        self, tmp_path: Path, data: st.DataObject
    ) -> None:
        shutil.rmtree(tmp_path / "crash", ignore_errors=True)
        places = Places(tmp_path / "crash")
        path, before, after = batch_lengths(places)
        batch = after - before
        written = data.draw(st.integers(0, 2 * batch))
        for directory, part in ((places.primary, written), (places.mirror, written - batch)):
            copy = directory / path.name
            copy.write_bytes(copy.read_bytes()[: before + max(0, min(part, batch))])

        with places.open() as journal:
            assert 2 <= journal.head().sequence <= 5
            append(journal)
            assert journal.verify() == []
        assert places.files(places.primary) == places.files(places.mirror)

    @_SIDES
    def test_may_have_lost_blocks_in_the_middle(self, places: Places, side: str) -> None:
        """A power failure may write a later block of a batch and not an earlier one."""
        path, before, after = batch_lengths(places)
        directory: Path = getattr(places, side)
        other = places.mirror if side == "primary" else places.primary
        content = bytearray(path.read_bytes())
        content[before + 10 : before + 90] = bytes(80)
        (directory / path.name).write_bytes(content)
        if side == "primary":
            (other / path.name).write_bytes(content[:before])

        with places.open() as journal:
            assert journal.head().sequence == (2 if side == "primary" else 5)
            assert whats(journal)[0] == "torn-tail-cut"
            append(journal)
            assert journal.verify() == []
        (aside,) = directory.glob("torn-*")
        assert aside.read_bytes() == content[before:after]

    @_SIDES
    def test_is_not_what_a_damaged_entry_is_taken_for(self, places: Places, side: str) -> None:
        """One wrong byte in an earlier batch keeps the journal closed, and nothing is cut."""
        path, before, _ = batch_lengths(places)
        damaged: Path = getattr(places, side) / path.name
        content = bytearray(damaged.read_bytes())
        content[before - 40] ^= 1
        damaged.write_bytes(content)

        with pytest.raises(JournalUnavailable):
            places.open()

        assert damaged.read_bytes() == content

    def test_without_any_mirror_keeps_closed_what_is_no_torn_line(self, tmp_path: Path) -> None:
        places = Places(tmp_path)
        path, before, _ = batch_lengths(places)
        content = bytearray(path.read_bytes())
        content[before + 10] ^= 1
        path.write_bytes(content)

        with pytest.raises(JournalUnavailable, match="entry 3"):
            DirectoryJournal(places.primary, reserve_bytes=0)


class TestCopies:
    @_SEGMENTS
    @_SIDES
    def test_may_lack_one_batch(self, places: Places, side: str, segment_bytes: int) -> None:
        directory: Path = getattr(places, side)
        places.fill(1, 2, segment_bytes=segment_bytes)
        older = places.keep(directory)
        receipt = places.fill(3, segment_bytes=segment_bytes)
        places.put_back(directory, older)

        with places.open(segment_bytes) as journal:
            assert journal.head() == receipt
            assert whats(journal) == ["caught-up"]

        assert places.files(places.primary) == places.files(places.mirror)

    @_SEGMENTS
    @_SIDES
    def test_may_lack_no_more(self, places: Places, side: str, segment_bytes: int) -> None:
        directory: Path = getattr(places, side)
        older = places.keep(directory)
        places.fill(1, 1, segment_bytes=segment_bytes)
        places.put_back(directory, older)

        with pytest.raises(JournalUnavailable, match="do not agree"):
            places.open(segment_bytes)

    @_SIDES
    def test_differ_in_an_older_segment(self, places: Places, side: str) -> None:
        places.fill(1, 1, 1, 1, segment_bytes=1)
        directory: Path = getattr(places, side)
        (directory / f"{1:020d}.jsonl").unlink()

        with pytest.raises(JournalUnavailable, match="do not agree"):
            places.open(1)

    def test_keep_an_empty_new_segment_out(self, places: Places) -> None:
        receipt = places.fill(1, 1, segment_bytes=1)
        (places.primary / f"{3:020d}.jsonl").touch()

        with places.open(1) as journal:
            assert journal.head() == receipt
            append(journal)

        assert places.files(places.primary) == places.files(places.mirror)

    @_SEGMENTS
    @pytest.mark.parametrize("volume", [1, 2], ids=["after-primary", "after-mirror"])
    def test_end_alike_when_the_process_dies_between_them(
        self, places: Places, volume: int, segment_bytes: int
    ) -> None:
        with (
            places.open(segment_bytes) as journal,
            killed("vault.journal.volume-written", after=volume),
        ):
            append(journal, 4)

        with places.open(segment_bytes) as journal:
            assert journal.head().sequence == 4
            assert journal.verify() == []

    @_SEGMENTS
    def test_lose_a_batch_whose_writer_was_told_so(
        self, places: Places, segment_bytes: int
    ) -> None:
        with places.open(segment_bytes) as journal:
            with killed("vault.journal.volume-written"):
                append(journal, 4)

            assert journal.head().sequence == 0
            assert append(journal, 2).sequence == 2
            assert journal.verify() == []


class TestVolume:
    @_SIDES
    def test_rolled_back_under_a_running_writer_is_refused(self, places: Places, side: str) -> None:
        directory: Path = getattr(places, side)
        with places.open() as journal:
            append(journal)
            older = places.keep(directory)
            append(journal)
            for path in older.glob("*.jsonl"):  # in place, so that the lock stays
                shutil.copyfile(path, directory / path.name)

            with pytest.raises(JournalUnavailable, match="gone or was changed"):
                journal.head()
            with pytest.raises(JournalUnavailable, match="gone or was changed"):
                append(journal)

        assert places.last_file(directory).read_bytes() == places.last_file(older).read_bytes()

    @_SIDES
    @pytest.mark.parametrize("loss", ["gone", "empty", "exchanged"])
    def test_lost_under_a_running_writer_is_refused(
        self, places: Places, side: str, loss: str
    ) -> None:
        directory: Path = getattr(places, side)
        with places.open() as journal:
            receipt = append(journal)
            kept = places.keep(directory)
            shutil.rmtree(directory)
            if loss == "empty":
                directory.mkdir()
            elif loss == "exchanged":
                shutil.copytree(kept, directory)

            with pytest.raises(JournalUnavailable, match="gone or was changed"):
                append(journal)
            assert loss == "exchanged" or not list(directory.glob("*.jsonl"))

        places.put_back(directory, kept) if directory.exists() else shutil.copytree(kept, directory)
        with places.open() as journal:
            assert journal.head() == receipt

    def test_put_back_on_both_sides_is_a_shorter_journal(self, places: Places) -> None:
        """Which the gate finds out: the database has seen more."""
        receipt = places.fill(1)
        kept = [places.keep(directory) for directory in places.both]
        places.fill(1, 1, 1)
        for directory, older in zip(places.both, kept, strict=True):
            places.put_back(directory, older)

        with places.open() as journal:
            assert journal.head() == receipt


@contextmanager
def small_volume(path: Path, size: str) -> Iterator[None]:
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small volume")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def fill_up(directory: Path) -> None:
    with suppress(OSError), (directory / "ballast").open("ab", buffering=0) as file:
        while True:
            file.write(bytes(512))


class TestFullVolume:
    @_SIDES
    def test_takes_the_reserve_and_then_refuses(self, tmp_path: Path, side: str) -> None:
        with small_volume(tmp_path / side, "128k"):
            places = Places(tmp_path)
            directory: Path = getattr(places, side)
            with places.open(reserve_bytes=1 << 14) as journal:
                append(journal)
                fill_up(directory)
                assert append(journal, 20).sequence == 21
                assert whats(journal) == ["reserve-used"]
                fill_up(directory)
                before = {path: places.files(path) for path in places.both}

                for _ in range(2):
                    with pytest.raises(JournalUnavailable):
                        append(journal, 40)
                    assert journal.head().sequence == 21

                assert {path: places.files(path) for path in places.both} == before
                (directory / "ballast").unlink()
                assert append(journal, 40).sequence == 61
                assert journal.verify() == []
