"""Prepare subjects ahead of an import."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Controller
from core import clock
from vault.services import prepared


class Command(BaseCommand):
    help = (
        "Create key shares and evidence keys ahead, so that an import of new data subjects does"
        " not wait for the key store. What is not used within 20 hours is destroyed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--controller", required=True, help="slug")
        parser.add_argument("--count", type=int, required=True)

    def handle(self, *, controller: str, count: int, **_: Any) -> None:
        """Needs the credential of `web` or `worker`."""
        row = Controller.objects.filter(slug=controller).first()
        if row is None:
            message = f"There is no controller {controller}."
            raise CommandError(message)
        now = clock.now()
        made = prepared.prepare(controller_id=row.id, count=count, now=now)
        ready = prepared.available(controller_id=row.id, limit=1 << 30, now=now)
        self.stdout.write(f"{made} prepared, {ready} ready.")
