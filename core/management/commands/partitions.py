from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from core import clock, partitions


class Command(BaseCommand):
    help = "Make the coming months' audit partitions; with --expire-days also drop old ones."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--ahead` months to prepare; `--expire-days` as the retention rule says."""
        parser.add_argument("--ahead", type=int, default=3)
        parser.add_argument("--expire-days", type=int)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs as the owner."""
        if "owner" not in connections:
            raise CommandError("Set DATABASE_OWNER_URL: only the owner makes and drops partitions.")
        now = clock.now()
        for name in partitions.ensure(now=now, ahead=options["ahead"]):
            self.stdout.write(f"made {name}")
        if options["expire_days"] is not None:
            before = now - timedelta(days=options["expire_days"])
            for name in partitions.expire(before=before):
                self.stdout.write(f"dropped {name}")
