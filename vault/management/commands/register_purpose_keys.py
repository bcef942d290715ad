"""Makes the key store's pool of purpose keys known to the database; run after custodian_setup."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.errors import ServiceError
from vault import runtime
from vault.services import purpose_keys


class Command(BaseCommand):
    """May be run again: keys that are known are left."""

    help = "Add the purpose keys of the key store to the pool that purposes take theirs from."

    def handle(self, *_: object, **__: Any) -> None:
        try:
            names = runtime.wrapping_keys().available()
        except ServiceError as error:
            raise CommandError(error.detail) from None
        new = purpose_keys.register(names)
        self.stdout.write(f"{len(names)} purpose keys in the key store, {new} of them new.")
