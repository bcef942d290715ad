"""Add the key store's purpose keys to the pool that purposes take theirs from."""

from typing import Any

from django.core.management.base import BaseCommand

from vault import runtime
from vault.services import purpose_keys


class Command(BaseCommand):
    help = "Register the purpose keys that custodian_setup made in the key store."

    def handle(self, **_: Any) -> None:
        """Read the key store's names and add those that are new."""
        added = purpose_keys.register(runtime.wrapping_keys().available())
        self.stdout.write(f"{added} purpose keys added to the pool.")
