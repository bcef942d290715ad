"""List destructions that a restored database brought back, and release them or call them off."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from accounts.management import officers
from core import clock, ids
from core.errors import ServiceError
from core.ids import PublicId
from vault.services import releasing


class Command(BaseCommand):
    help = (
        "After a restore, destructions that the journal does not know wait for a named officer: "
        "list them, release them, or call them off."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--officer", help="e-mail of a compliance officer or DPO")
        parser.add_argument("--erasure", action="append", default=[], help="ers_…; repeatable")
        parser.add_argument("--all", action="store_true", help="every destruction on the list")
        parser.add_argument(
            "--call-off", action="store_true", help="cancel instead: the subjects live again"
        )

    def handle(self, *_: object, **options: Any) -> None:
        """Without --officer only the list is shown."""
        rows = releasing.held()
        if options["officer"] is None:
            self.stdout.write(f"{len(rows)} destructions wait for an officer.")
            for row in rows:
                self.stdout.write(
                    f"  {ids.format(PublicId.ERASURE, row.erasure_id)}  {row.state}"
                    f"  fenced {row.fenced_at:%Y-%m-%d %H:%M}Z"
                )
            return
        officer = officers.named(options["officer"], "compliance-officer", "dpo")
        chosen = [row.erasure_id for row in rows] if options["all"] else self._named(options)
        if not chosen:
            raise CommandError("Name destructions with --erasure, or --all.")
        act = releasing.call_off if options["call_off"] else releasing.release
        try:
            count = act(erasure_ids=chosen, officer=officer, now=clock.now())
        except ServiceError as error:
            message = f"{error.detail} ({error.code})"
            raise CommandError(message) from None
        word = "called off" if options["call_off"] else "released"
        self.stdout.write(f"{count} destructions were {word}.")

    def _named(self, options: dict[str, Any]) -> list[UUID]:
        try:
            return [ids.parse(PublicId.ERASURE, text) for text in options["erasure"]]
        except ServiceError as error:
            raise CommandError(error.detail) from None
