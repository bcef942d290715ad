"""Deploy a contract on a chain with the cold key, and record it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from accounts.management import officers
from contracts.adapters import chains
from contracts.domain.anchors import BOOK_CONTRACT, LOG_CONTRACT
from contracts.services import deploying
from core import clock
from core.errors import ServiceError


class Command(BaseCommand):
    help = (
        "Deploy AnchorLog on a chain of LETHE_CHAINS, give the chain's sender its one role, and"
        " record it. From then on the log is anchored there. With --contract RevocationBook:"
        " digests of status lists are published there, too."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--chain", required=True, help="its name in LETHE_CHAINS")
        parser.add_argument(
            "--contract", choices=[LOG_CONTRACT, BOOK_CONTRACT], default=LOG_CONTRACT
        )
        parser.add_argument("--keystore", required=True, type=Path, help="the cold key's keystore")
        parser.add_argument("--password-file", required=True, type=Path)
        parser.add_argument("--admin", help="address that gets the admin role; the cold key's own")
        parser.add_argument("--operator", required=True, help="e-mail of an operator")

    def handle(
        self, *, chain: str, contract: str, keystore: Path, password_file: Path,
        admin: str | None, operator: str, **_: Any,
    ) -> None:  # fmt: skip
        """The cold key is in memory for as long as this runs, and nowhere else."""
        actor = officers.named(operator, "operator")
        rules = chains.rules().get(chain)
        if rules is None:
            raise CommandError(f"LETHE_CHAINS has no table [chain.{chain}].")
        try:
            deployer = chains.deployer(rules, keystore, password_file)
            made = deployer.deploy(contract, holder=chains.holder(rules), admin=admin)
            row = deploying.record(chain, made, operator=actor, now=clock.now())
        except (ServiceError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{contract} is at {row.address} on {chain}, block {row.block_number}.")
