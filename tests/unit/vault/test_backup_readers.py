"""Folders of backups, sound and damaged, as the readers tell them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.errors import ServiceError
from tests.fakes import backup_folders as folders
from vault.adapters import postgres_backups, raft_snapshots
from vault.adapters.backup_files import Reading
from vault.domain.backups import Copy

AT = datetime(2026, 3, 9, 2, 0, tzinfo=UTC)
KEEP = timedelta(days=7)
OURS = Reading(KEEP, str(folders.SYSTEM))


@pytest.fixture(autouse=True)
def without_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tool of PostgreSQL is for whole backups; the drill has one."""
    monkeypatch.setenv("PATH", "/nowhere")


def code(act: Callable[[], object]) -> str:
    with pytest.raises(ServiceError) as caught:
        act()
    return caught.value.code


class TestBaseBackups:
    def test_tells_each_with_its_times_and_the_sum_of_its_manifest(self, tmp_path: Path) -> None:
        folders.base_backup(tmp_path, AT)
        folders.base_backup(tmp_path, AT + KEEP)

        first, second = postgres_backups.base_backups(tmp_path, OURS)

        assert (first.label, first.began_at, first.expires_at) == (
            "20260309T020000Z", AT, AT + KEEP,
        )  # fmt: skip
        assert first.ended_at is not None
        assert len(first.evidence) == 64
        assert second.began_at == AT + KEEP

    def test_tells_one_that_is_not_done_as_a_copy_without_an_end(self, tmp_path: Path) -> None:
        folders.base_backup(tmp_path, AT).rename(tmp_path / f"{folders.stamped(AT)}.partial")

        (one,) = postgres_backups.base_backups(tmp_path, OURS)

        assert one == Copy(label="20260309T020000Z", began_at=AT, expires_at=AT + KEEP)

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("PG_VERSION", b"17\n"),
            ("backup_manifest", None),
            ("global/pg_control", bytes(512)),
        ],
    )
    def test_refuses_one_with_a_changed_file(
        self, tmp_path: Path, name: str, content: bytes | None
    ) -> None:
        path = folders.base_backup(tmp_path, AT) / name
        path.write_bytes(path.read_bytes().replace(b"0/2", b"0/1") if content is None else content)

        said = code(lambda: postgres_backups.base_backups(tmp_path, OURS))

        assert said == ("backup-foreign" if "control" in name else "backup-sums-mismatch")

    def test_refuses_one_with_a_missing_file(self, tmp_path: Path) -> None:
        (folders.base_backup(tmp_path, AT) / "PG_VERSION").unlink()

        assert code(lambda: postgres_backups.base_backups(tmp_path, OURS)) == "backup-sums-mismatch"

    def test_refuses_one_of_another_server(self, tmp_path: Path) -> None:
        folders.base_backup(tmp_path, AT, system=42)

        assert code(lambda: postgres_backups.base_backups(tmp_path, OURS)) == "backup-foreign"

    def test_refuses_an_entry_that_it_does_not_know(self, tmp_path: Path) -> None:
        (tmp_path / "copy of monday").mkdir()

        assert code(lambda: postgres_backups.base_backups(tmp_path, OURS)) == "backup-unreadable"

    def test_refuses_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        assert code(lambda: postgres_backups.base_backups(tmp_path / "x", OURS)) == (
            "backup-folder-missing"
        )

    def test_reads_what_was_attested_no_second_time(self, tmp_path: Path) -> None:
        path = folders.base_backup(tmp_path, AT)
        known = {copy.label: copy for copy in postgres_backups.base_backups(tmp_path, OURS)}
        (path / "PG_VERSION").unlink()

        again = postgres_backups.base_backups(tmp_path, Reading(KEEP, OURS.cluster, known))

        assert again == list(known.values())


class TestWalArchive:
    def test_tells_a_day_of_segments_as_one_copy(self, tmp_path: Path) -> None:
        for number, hours in enumerate((0, 5, 30)):
            folders.segment(tmp_path, number, AT + timedelta(hours=hours))
        (tmp_path / "00000002.history").write_text("1\t0/3000000\tbefore\n")

        first, second = postgres_backups.wal_archive(tmp_path, OURS)

        assert (first.label, second.label) == ("wal-20260309", "wal-20260310")
        assert first.began_at < AT
        assert second.began_at == first.ended_at == AT + timedelta(hours=5)
        assert second.expires_at == AT + timedelta(hours=30) + KEEP

    def test_does_not_forget_how_early_a_day_began(self, tmp_path: Path) -> None:
        folders.segment(tmp_path, 1, AT)
        early = AT - timedelta(days=5)
        known = {"wal-20260309": Copy(label="wal-20260309", began_at=early)}

        (one,) = postgres_backups.wal_archive(tmp_path, Reading(KEEP, OURS.cluster, known))

        assert one.began_at == early

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("000000010000000000000009", bytes(200), "backup-foreign"),
            ("000000010000000000000009", b"", "backup-unreadable"),
            ("notes.txt", b"", "backup-unreadable"),
        ],
    )
    def test_refuses_what_is_no_segment_of_ours(
        self, tmp_path: Path, name: str, content: bytes, said: str
    ) -> None:
        (tmp_path / name).write_bytes(content)

        assert code(lambda: postgres_backups.wal_archive(tmp_path, OURS)) == said


class TestSnapshots:
    def test_tells_each_with_its_times_and_the_sum_of_its_list(self, tmp_path: Path) -> None:
        folders.snapshot(tmp_path, AT)

        (one,) = raft_snapshots.snapshots(tmp_path, OURS)

        assert (one.label, one.began_at) == ("20260309T020000Z.snap", AT)
        assert (one.ended_at, one.expires_at) == (AT, AT + KEEP)

    def test_refuses_one_whose_sums_are_of_another(self, tmp_path: Path) -> None:
        folders.snapshot(tmp_path, AT, sums=b"00  meta.json\n00  state.bin\n")

        assert code(lambda: raft_snapshots.snapshots(tmp_path, OURS)) == "backup-sums-mismatch"

    @pytest.mark.parametrize("keep", [0, 20, 0.9])
    def test_refuses_one_that_was_cut_off(self, tmp_path: Path, keep: float) -> None:
        path = folders.snapshot(tmp_path, AT, state=bytes(range(256)) * 400)
        content = path.read_bytes()
        path.write_bytes(content[: int(keep * len(content)) if keep < 1 else int(keep)])

        assert code(lambda: raft_snapshots.snapshots(tmp_path, OURS)) == "backup-unreadable"

    def test_refuses_one_without_a_place_in_the_log(self, tmp_path: Path) -> None:
        folders.snapshot(tmp_path, AT, index=0)

        assert code(lambda: raft_snapshots.snapshots(tmp_path, OURS)) == "backup-unreadable"
