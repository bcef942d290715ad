"""The journal of this installation, from settings."""

from django.conf import settings

from vault.adapters.directory_journal import DirectoryJournal
from vault.adapters.journal_reader import DirectoryReader


def reader() -> DirectoryReader:
    """Read the journal; for any process that can read its primary volume."""
    return DirectoryReader(settings.LETHE_JOURNAL_DIR)


def journal() -> DirectoryJournal:
    """Open the journal for writing. Raises JournalUnavailable when it was never founded.

    Only the eraser calls this; a second writer is refused by the journal's own lock.
    """
    return DirectoryJournal(settings.LETHE_JOURNAL_DIR, mirrors=settings.LETHE_JOURNAL_MIRRORS)
