"""List the people whose data cannot be opened because the key store lacks their key."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Controller
from core import ids
from core.ids import PublicId
from vault.services import losing


class Command(BaseCommand):
    help = "List whose keys a replay found missing: put a younger snapshot back, or erase them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--controller", help="slug; left out: every controller")

    def handle(self, *, controller: str | None, **_: Any) -> None:
        """Print subject, key group and since when it is known; changes nothing."""
        rows = Controller.objects.order_by("slug")
        if controller is not None:
            rows = rows.filter(slug=controller)
            if not rows.exists():
                message = f"There is no controller {controller}."
                raise CommandError(message)
        for row in rows:
            losses = losing.standing(controller_id=row.id)
            self.stdout.write(f"{row.slug}: {len(losses)} key groups of people are lost")
            for loss in losses:
                since = "" if loss.lost_at is None else f"  since {loss.lost_at:%Y-%m-%d %H:%M}Z"
                subject = ids.format(PublicId.SUBJECT, loss.subject_id)
                self.stdout.write(f"  {subject}  {loss.group}{since}")
