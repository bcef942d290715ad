"""Start a new journal in the place of one that is gone for good; see docs/runbooks."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.management import officers
from core import clock, ids
from core.actors import Actor
from core.errors import ServiceError
from vault.adapters import directory_journal, journal, journal_reader
from vault.errors import JournalUnavailable
from vault.services import journal as head
from vault.services import refounding


class Command(BaseCommand):
    help = (
        "When the erasure journal and its mirrors are gone for good: start a new one in empty "
        "LETHE_JOURNAL_DIR and LETHE_JOURNAL_MIRRORS, as the eraser. Older backups are barred."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--operator", action="append", default=[], required=True,
            help="e-mail of an operator; two different persons",
        )  # fmt: skip
        parser.add_argument(
            "--accept-loss",
            action="store_true",
            help="although the database was restored too and what came since is lost",
        )

    def handle(self, *, operator: Sequence[str], accept_loss: bool, **_: Any) -> None:
        """Found it, or go on where an earlier run of this was interrupted."""
        if settings.LETHE_PROCESS != "eraser":
            raise CommandError("Run this as the eraser: set LETHE_PROCESS, and stop its worker.")
        named = [officers.named(email, "operator") for email in operator]
        try:
            again = self._refound(named, accept_loss=accept_loss)
        except ServiceError as error:
            message = f"{error.detail} ({error.code})"
            raise CommandError(message) from None
        self.stdout.write(
            f"{again} key shares had to be destroyed again. Never restore a backup from before "
            "now: it is barred. Start the eraser; it opens the gate."
        )

    def _refound(self, operators: Sequence[Actor], *, accept_loss: bool) -> int:
        now = clock.now()
        begun = journal.reader().head().journal_id if self._is_begun() else None
        genesis = refounding.plan(
            operators=operators, accept_loss=accept_loss, begun=begun, now=now
        )
        if begun is None:
            directory_journal.found(
                settings.LETHE_JOURNAL_DIR,
                mirrors=settings.LETHE_JOURNAL_MIRRORS,
                now=now,
                journal_id=ids.new_random(),
                ordinal=genesis.ordinal,
                body=genesis.body,
            )
        first = journal.reader().head()
        self.stdout.write(f"Journal {first.journal_id} founded, counting from {first.ordinal}.")
        return refounding.adopt(first=first, operators=operators, now=now)

    def _is_begun(self) -> bool:
        """An interrupted run has left a journal that names this database's head, on all volumes."""
        volumes = (settings.LETHE_JOURNAL_DIR, *settings.LETHE_JOURNAL_MIRRORS)
        begun = [self._continues(volume) for volume in volumes]
        if any(begun) and not all(begun):
            raise CommandError("An earlier run began: empty the directories, and run this again.")
        return all(begun)

    def _continues(self, volume: Path) -> bool:
        try:
            first = next(iter(journal_reader.read_entries(volume)), None)
        except JournalUnavailable:
            return False
        body = {} if first is None else dict(first.body)
        return refounding.is_continuation(body, head.database_head())
