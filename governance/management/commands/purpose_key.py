"""Name the wrapping key of a purpose, for `custodian_setup --stream … --purposes KEY`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Controller
from core.errors import ServiceError
from governance.services import purposes
from vault.services import purpose_keys


class Command(BaseCommand):
    help = "Print the key store's name of a purpose's wrapping key, to let a stream open it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("controller", help="slug of the controller")
        parser.add_argument("purpose", help="code of the purpose")

    def handle(self, *, controller: str, purpose: str, **_: Any) -> None:
        """Print the name alone, so that a script can use it."""
        row = Controller.objects.filter(slug=controller).first()
        if row is None:
            message = f"There is no controller {controller}."
            raise CommandError(message)
        try:
            found = purposes.by_code(controller_id=row.id, code=purpose)
            self.stdout.write(purpose_keys.wrapping_key(found.id))
        except ServiceError as error:
            raise CommandError(error.detail) from error
