"""Compare key share rows with the key store; report, never change."""

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Controller
from vault.services import reconciling


class Command(BaseCommand):
    help = "Report key shares that the database and the key store see differently."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--controller", help="slug; left out: every controller")

    def handle(self, *, controller: str | None, **_: Any) -> None:
        """Print counts and kids; exit status 1 when something is wrong."""
        rows = Controller.objects.all()
        if controller is not None:
            rows = rows.filter(slug=controller)
            if not rows.exists():
                message = f"There is no controller {controller}."
                raise CommandError(message)
        clean = [self._report(row.slug, row.id) for row in rows]
        if not all(clean):
            message = "The key store and the database differ; nothing was changed."
            raise CommandError(message)

    def _report(self, slug: str, controller_id: UUID) -> bool:
        report = reconciling.compare(controller_id=controller_id)
        self.stdout.write(f"{slug}: {report.checked} key shares compared")
        for name, kids in asdict(report).items():
            if name != "checked" and kids:
                self.stdout.write(f"  {name}: {len(kids)}")
                for kid in kids[:20]:
                    self.stdout.write(f"    {kid}")
        return report.is_clean
