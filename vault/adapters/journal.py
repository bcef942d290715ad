"""The journal of this installation, from settings."""

from django.conf import settings

from vault.adapters.directory_journal import DirectoryJournal


def journal() -> DirectoryJournal:
    """Open the journal for writing. Raises JournalUnavailable when it was never founded.

    Only the eraser calls this; a second writer is refused by the journal's own lock.
    """
    return DirectoryJournal(settings.LETHE_JOURNAL_DIR, mirrors=settings.LETHE_JOURNAL_MIRRORS)
