from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate


class Command(migrate.Command):
    """Django's own, run by the owner role: the app role may not change tables."""

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] != "owner":
            message = (
                "Run `manage.py migrate --database=owner` with DATABASE_OWNER_URL set;"
                " the app role has no right to change tables."
            )
            raise CommandError(message)
        super().handle(*args, **options)
