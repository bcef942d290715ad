"""Compute the whole log again from its leaves, and name the first that is wrong."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from contracts.models import LogBatch
from contracts.services import checking


class Command(BaseCommand):
    help = "Verify leaves, tiles, roots, proofs and signatures of the log; fails where any differs."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--most", type=int, default=20, help="faults to print at the most")

    def handle(self, *, most: int, **_: Any) -> None:
        """Print the faults; exit status 1 with any."""
        first: checking.Fault | None = None
        for number, fault in enumerate(checking.faults()):
            if number < most:
                self.stderr.write(f"leaf {fault.index}: {fault.what}")
            first = fault if first is None or fault.index < first.index else first
        if first is not None:
            raise CommandError(f"The log is wrong from leaf {first.index} on: {first.what}.")
        last = LogBatch.objects.order_by("-sequence").first()
        size, batches = (0, 0) if last is None else (last.size, last.sequence + 1)
        self.stdout.write(f"{size} leaves in {batches} batches: leaves, tiles, roots agree.")
