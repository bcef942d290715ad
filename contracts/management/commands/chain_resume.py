"""Go on after a halt."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.management import officers
from contracts.services import resuming
from core import clock
from core.errors import ServiceError


class Command(BaseCommand):
    help = "End a chain's halt, after the runbook was followed; see docs/runbooks/chain-halted.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--chain", required=True)
        parser.add_argument("--operator", required=True, help="e-mail of an operator")

    def handle(self, *, chain: str, operator: str, **_: Any) -> None:
        """The audit log names the operator."""
        actor = officers.named(operator, "operator")
        try:
            halt = resuming.resume(chain, operator=actor, now=clock.now())
        except ServiceError as error:
            message = f"{error.detail} ({error.code})"
            raise CommandError(message) from None
        self.stdout.write(f"Anchoring on {chain} goes on after {halt.reason}.")
