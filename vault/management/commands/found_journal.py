"""Start the erasure journal of a new installation."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core import clock, ids
from vault.adapters import directory_journal
from vault.errors import JournalUnavailable


class Command(BaseCommand):
    help = "Start the erasure journal in LETHE_JOURNAL_DIR and LETHE_JOURNAL_MIRRORS, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--if-absent", action="store_true", help="leave a journal that is there, say so"
        )

    def handle(self, *, if_absent: bool, **_: Any) -> None:
        """Found it, or with --if-absent leave the one that is there."""
        directory = settings.LETHE_JOURNAL_DIR
        if if_absent and directory.is_dir() and any(directory.iterdir()):
            self.stdout.write("A journal is already there; left as it is.")
            return
        journal_id = ids.new_random()
        try:
            directory_journal.found(
                directory,
                mirrors=settings.LETHE_JOURNAL_MIRRORS,
                now=clock.now(),
                journal_id=journal_id,
            )
        except JournalUnavailable as error:
            raise CommandError(error.detail) from None
        self.stdout.write(f"Journal {journal_id} founded.")
