"""A journal with one mirror in a folder of its own, opened, filled and damaged as a test needs."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from vault.adapters import directory_journal
from vault.adapters.directory_journal import DirectoryJournal
from vault.ports import JournalDraft, JournalReceipt

AT = datetime(2026, 3, 9, 10, tzinfo=UTC)
ID = "00000000-0000-4000-8000-000000000001"


def body(kid: str = "ab" * 16) -> dict[str, object]:
    """A destruction of one share."""
    item = {"erasure_id": ID, "scope": "subject", "kids": [kid], "tags": []}
    return {"controller_id": ID, "cluster": "default", "items": [item]}


def append(journal: DirectoryJournal, count: int = 1, now: datetime = AT) -> JournalReceipt:
    """One batch of destructions; the receipt of its last entry."""
    drafts = [JournalDraft("destruction", body(f"{number:032x}")) for number in range(count)]
    return journal.append_many(drafts, now=now)[-1]


class Places:
    """The two directories."""

    def __init__(self, root: Path) -> None:
        self.root, self.primary, self.mirror = root, root / "primary", root / "mirror"
        directory_journal.found(self.primary, mirrors=[self.mirror], now=AT, journal_id=UUID(int=1))

    @property
    def both(self) -> tuple[Path, Path]:
        return self.primary, self.mirror

    def open(self, segment_bytes: int = 8 << 20, reserve_bytes: int = 4096) -> DirectoryJournal:
        return DirectoryJournal(
            self.primary,
            mirrors=[self.mirror],
            segment_bytes=segment_bytes,
            reserve_bytes=reserve_bytes,
        )

    def fill(self, *batches: int, segment_bytes: int = 8 << 20) -> JournalReceipt:
        """Append batches of these sizes; the head after them."""
        with self.open(segment_bytes) as journal:
            for count in batches:
                append(journal, count)
            return journal.head()

    def files(self, directory: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in directory.glob("*.json*")}

    def last_file(self, directory: Path) -> Path:
        return max(directory.glob("*.jsonl"))

    def keep(self, directory: Path) -> Path:
        """A copy of the directory as it is now, to be put back later."""
        kept = self.root / f"kept-{len(list(self.root.iterdir()))}"
        shutil.copytree(directory, kept)
        return kept

    def put_back(self, directory: Path, kept: Path) -> None:
        shutil.rmtree(directory)
        shutil.copytree(kept, directory)


def whats(journal: DirectoryJournal) -> Sequence[str]:
    """What opening mended."""
    return [repair.what for repair in journal.repairs]
