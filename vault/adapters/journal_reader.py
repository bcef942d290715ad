"""Reading the journal beside its writer: one copy, no lock."""

from collections.abc import Iterator
from pathlib import Path

from vault.adapters import journal_copy, journal_summary
from vault.domain.gate import Head
from vault.domain.journal import Entry, EntryKind, InvalidEntryError
from vault.errors import JournalUnavailable
from vault.ports import JournalReceipt


def read_entries(directory: Path, *, after: int = -1) -> Iterator[Entry]:
    """Entries with a sequence above `after`, without the writer's lock: for other processes.

    May end before an entry that is being written, and may hold entries of a batch that is not
    acknowledged yet. Raises JournalUnavailable, also when some of the entries asked for are only
    there as a summary.
    """
    try:
        yield from journal_copy.read(directory, after=after)
    except (OSError, InvalidEntryError):
        raise JournalUnavailable("The journal cannot be read.") from None


def read_head(directory: Path) -> JournalReceipt:
    """The last entry, from the end of the last segment: one line is read, however long the journal.

    Raises JournalUnavailable.
    """
    try:
        return receipt(journal_copy.head(directory))
    except (OSError, InvalidEntryError):
        raise JournalUnavailable("The journal is absent, empty or cannot be read.") from None


def hash_at(directory: Path, *, sequence: int) -> bytes | None:
    """The chain's hash at an entry; None for one that is not there yet.

    Raises JournalUnavailable, also for an entry older than the newest that was summarised.
    """
    try:
        return journal_copy.hash_at(directory, sequence)
    except (OSError, InvalidEntryError):
        raise JournalUnavailable("The journal cannot be read.") from None


def destructions(directory: Path, *, after_ordinal: int) -> Iterator[Entry]:
    """Destruction entries with an ordinal above `after_ordinal`.

    Raises JournalUnavailable, also when some of them are only there as a summary.
    """
    try:
        summary = journal_summary.newest(directory)
        start = -1 if summary is None else summary.head.sequence
        if summary is not None and after_ordinal < summary.head.ordinal:
            raise JournalUnavailable("Some destructions are only there as a summary.")
        for entry in journal_copy.read(directory, after=start):
            if entry.kind is EntryKind.DESTRUCTION and entry.ordinal > after_ordinal:
                yield entry
    except (OSError, InvalidEntryError):
        raise JournalUnavailable("The journal cannot be read.") from None


class DirectoryReader:
    """Reads one copy beside the writer; implements JournalReader."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def head(self) -> JournalReceipt:
        """See `vault.ports.JournalReader`."""
        return read_head(self._directory)

    def entries(self, *, after: int = -1) -> Iterator[Entry]:
        """See `vault.ports.JournalReader`."""
        return read_entries(self._directory, after=after)

    def hash_at(self, *, sequence: int) -> bytes | None:
        """See `vault.ports.JournalReader`."""
        return hash_at(self._directory, sequence=sequence)

    def destructions(self, *, after_ordinal: int) -> Iterator[Entry]:
        """See `vault.ports.JournalReader`."""
        return destructions(self._directory, after_ordinal=after_ordinal)


def receipt(head: Head) -> JournalReceipt:
    """A head as the port has it."""
    return JournalReceipt(head.journal_id, head.sequence, head.hash, head.ordinal)
