"""List keys that a restored database does not know, and give them up."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.management import officers
from accounts.models import Controller
from core import clock
from core.errors import ServiceError
from vault.services import orphans


class Command(BaseCommand):
    help = (
        "List keys made after the backup that was put back. They are destroyed once no copy of "
        "the database is left that may name them, or at once when an officer gives them up."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--give-up", action="store_true", help="destroy those that the officer answers for now"
        )
        parser.add_argument("--officer", help="e-mail of a compliance officer or DPO")

    def handle(self, *, give_up: bool, officer: str | None, **_: Any) -> None:
        """Without --give-up only the list is shown."""
        if give_up:
            self._give_up(officer)
            return
        slugs = dict(Controller.objects.values_list("id", "slug"))
        rows = orphans.waiting()
        self.stdout.write(f"{sum(row.count for row in rows)} keys are nobody's.")
        for row in rows:
            slug = slugs.get(row.controller_id, str(row.controller_id))
            self.stdout.write(f"  {slug}: {row.count}, found {row.found_at:%Y-%m-%d %H:%M}Z")

    def _give_up(self, email: str | None) -> None:
        if email is None:
            raise CommandError("Name who gives them up with --officer.")
        officer = officers.named(email, "compliance-officer", "dpo")
        mine = [
            row.controller_id
            for row in orphans.waiting()
            if officer.controller_id in (None, row.controller_id)
        ]
        try:
            count = sum(
                orphans.give_up(controller_id=one, officer=officer, now=clock.now()) for one in mine
            )
        except ServiceError as error:
            message = f"{error.detail} ({error.code})"
            raise CommandError(message) from None
        self.stdout.write(f"{count} keys are given up; the eraser destroys them.")
