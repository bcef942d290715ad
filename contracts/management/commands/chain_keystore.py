"""Make a key for a chain, in an encrypted keystore."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from contracts.adapters import chains


class Command(BaseCommand):
    help = "Make a new key: a keystore file (Web3 Secret Storage v3), readable by its owner alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--password-file", required=True, type=Path)

    def handle(self, *, file: Path, password_file: Path, **_: Any) -> None:
        """Never writes over a file."""
        try:
            address = chains.make_keystore(file, password_file)
        except FileExistsError:
            raise CommandError(f"{file.name} exists; a keystore is never overwritten.") from None
        except (ImproperlyConfigured, OSError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{address}\nSend it what it is to spend; it needs no other right.")
