"""The journal of this installation, from settings."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from django.conf import settings

from vault.adapters.directory_journal import DirectoryJournal
from vault.adapters.journal_reader import DirectoryReader
from vault.domain.journal import Entry
from vault.errors import JournalUnavailable
from vault.ports import JournalDraft, JournalReceipt


def reader() -> DirectoryReader:
    """Read the journal; for any process that can read its primary volume."""
    return DirectoryReader(settings.LETHE_JOURNAL_DIR)


def open_journal() -> DirectoryJournal:
    """Open the journal for writing. Raises JournalUnavailable when it was never founded.

    Only the eraser calls this; a second writer is refused by the journal's own lock.
    """
    return DirectoryJournal(settings.LETHE_JOURNAL_DIR, mirrors=settings.LETHE_JOURNAL_MIRRORS)


def journal() -> "StandingJournal":
    """The journal as the eraser holds it, for as long as it runs."""
    return StandingJournal()


class StandingJournal:
    """Opened at its first use, and anew after a volume was lost or changed under it.

    The call that finds the change fails. The next one opens what is there then, with every check
    that a restart would make, so a volume that is mounted again needs no hands, and an old copy
    is judged by the gate for what it is.
    """

    def __init__(self) -> None:
        self._opened: DirectoryJournal | None = None

    def append(self, *, kind: str, body: Mapping[str, object], now: datetime) -> JournalReceipt:
        """Append one entry; see `append_many`."""
        return self.append_many([JournalDraft(kind, body)], now=now)[0]

    def append_many(self, drafts: Sequence[JournalDraft], *, now: datetime) -> list[JournalReceipt]:
        """See `vault.ports.Journal`."""
        with self._standing() as opened:
            return opened.append_many(drafts, now=now)

    def head(self) -> JournalReceipt:
        """See `vault.ports.JournalReader`."""
        with self._standing() as opened:
            return opened.head()

    def entries(self, *, after: int = -1) -> Iterator[Entry]:
        """See `vault.ports.JournalReader`."""
        with self._standing() as opened:
            yield from opened.entries(after=after)

    def hash_at(self, *, sequence: int) -> bytes | None:
        """See `vault.ports.JournalReader`."""
        with self._standing() as opened:
            return opened.hash_at(sequence=sequence)

    def destructions(self, *, after_ordinal: int) -> Iterator[Entry]:
        """See `vault.ports.JournalReader`."""
        with self._standing() as opened:
            yield from opened.destructions(after_ordinal=after_ordinal)

    def close(self) -> None:
        """Give up the lock; the next use opens the journal anew."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    @contextmanager
    def _standing(self) -> Iterator[DirectoryJournal]:
        self._opened = opened = self._opened or open_journal()
        try:
            yield opened
        except JournalUnavailable:
            if opened.is_lost:
                self.close()
            raise
