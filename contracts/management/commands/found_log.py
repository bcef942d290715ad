"""Let the log go on after a restore: under its name, or as a new generation."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.management import officers
from contracts.domain.history import WORDS
from contracts.services import founding, keeping
from core import clock
from core.errors import ServiceError


class Command(BaseCommand):
    help = (
        "Say how the log stands to the head kept outside the database (LETHE_PROCESS=loggerd). "
        "With --operator, found a new generation of it, or with --go-on continue the one there is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--operator", help="e-mail of an operator")
        parser.add_argument(
            "--go-on",
            action="store_true",
            help="only the key store was put back: keep the database's newest head",
        )

    def handle(self, *, operator: str | None, go_on: bool, **_: Any) -> None:
        """Without --operator nothing is changed."""
        if settings.LETHE_PROCESS != "loggerd":
            raise CommandError("Run this as the log's process: set LETHE_PROCESS=loggerd.")
        try:
            self._handle(operator, go_on=go_on)
        except ServiceError as error:
            message = f"{error.detail} ({error.code})"
            raise CommandError(message) from None

    def _handle(self, email: str | None, *, go_on: bool) -> None:
        if email is None:
            history, kept = keeping.look()
            self.stdout.write(f"{history.value}: {WORDS[history]}")
            size = "none" if kept is None else f"{kept.size} entries, generation {kept.generation}"
            self.stdout.write(f"  kept: {size}; in the database: {keeping.newest().size} entries")
            return
        operator = officers.named(email, "operator")
        if go_on:
            head = founding.go_on(operator=operator, now=clock.now())
            self.stdout.write(f"The log goes on from {head.size} entries.")
            return
        row = founding.found(operator=operator, now=clock.now())
        self.stdout.write(f"{row.origin} goes on from {row.size} entries.")
