"""`manage.py create_client`: one API client, its id and its secret."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import ClientKind, Controller
from accounts.services import clients
from core import clock
from core.actors import process_actor
from core.errors import ServiceError


class Command(BaseCommand):
    help = "Make an API client and print its id and secret; the secret is shown only this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--controller", required=True, metavar="SLUG")
        parser.add_argument("--kind", required=True, choices=ClientKind.values)
        parser.add_argument("--name", default="", help="default: the kind")
        parser.add_argument(
            "--scope", action="append", default=[], help="may be repeated; as records:write"
        )
        parser.add_argument(
            "--redirect-uri", action="append", default=[], help="console clients only; repeatable"
        )

    def handle(self, **options: Any) -> None:
        controller = Controller.objects.filter(slug=options["controller"]).first()
        if controller is None:
            raise CommandError("There is no controller with this slug; see manage.py bootstrap.")
        if not options["scope"]:
            raise CommandError("Give at least one --scope.")
        try:
            client, secret = clients.create(
                controller_id=controller.pk,
                name=options["name"] or options["kind"],
                kind=options["kind"],
                scopes=options["scope"],
                redirect_uris=options["redirect_uri"],
                actor=process_actor("command"),
                now=clock.now(),
            )
        except ServiceError as error:
            raise CommandError(f"{error.detail} ({error.context.get('field')})") from error
        self.stdout.write(f"client_id: {client.client_id}")
        if secret:
            self.stdout.write(f"client_secret: {secret}")
