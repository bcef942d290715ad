"""Sets the key store up: mounts, keys, policies, one login per process. Run by a key custodian."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core.errors import ServiceError
from vault.adapters.hashicorp.layout import Layout
from vault.adapters.hashicorp.setup import ROLES, Administration, Credential


class Command(BaseCommand):
    """May be run again: what is there is left, credentials are not issued twice."""

    help = "Set up the key store. Needs an administrator's token in VAULT_TOKEN."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--pool", type=int, default=32, help="how many purpose keys there are to be in all"
        )
        parser.add_argument("--stream", help="name of a stream to attach purposes to")
        parser.add_argument(
            "--purposes", default="", help="wrapping keys that the stream opens, comma-separated"
        )
        parser.add_argument(
            "--reissue", action="store_true", help="withdraw the credentials and issue new ones"
        )
        parser.add_argument(
            "--write", type=Path, help="folder for one file of variables per role, mode 0600"
        )

    def handle(self, *_: object, **options: Any) -> None:
        token = os.environ.get("VAULT_TOKEN", "")
        if not token or not settings.LETHE_VAULT_ADDR:
            raise CommandError("Set VAULT_TOKEN (an administrator's) and LETHE_VAULT_ADDR.")
        administration = Administration(
            address=settings.LETHE_VAULT_ADDR,
            token=token,
            layout=Layout(settings.LETHE_VAULT_PREFIX),
            cacert=settings.LETHE_VAULT_CACERT,
        )
        try:
            self._run(administration, options)
        except ServiceError as error:
            raise CommandError(error.detail) from None

    def _run(self, administration: Administration, options: dict[str, Any]) -> None:
        if options["stream"]:
            purposes = [name for name in options["purposes"].split(",") if name]
            administration.attach(stream=options["stream"], purposes=purposes)
            roles = [f"stream-{options['stream']}"]
        else:
            administration.install(pool=options["pool"])
            roles = list(ROLES)
        for role in roles:
            if options["reissue"]:
                administration.withdraw(role)
            elif administration.has_credential(role):
                self.stdout.write(f"# {role}: issued before (--reissue makes new ones)")
                continue
            self._hand_over(administration.issue(role), options["write"])

    def _hand_over(self, credential: Credential, folder: Path | None) -> None:
        lines = "".join(f"{name}={value}\n" for name, value in credential.environment().items())
        if folder is None:
            self.stdout.write(f"# {credential.role}: shown once\n{lines}")
            return
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{credential.role}.env"
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(lines)
        self.stdout.write(f"# {credential.role}: {path}")
