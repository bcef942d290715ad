from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate

from core import rights


class Command(migrate.Command):
    """Django's own, run by the owner role: the app role may not change tables.

    At the end every right of the roles is set again, which a restored dump may have widened.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] != "owner":
            message = (
                "Run `manage.py migrate --database=owner` with DATABASE_OWNER_URL set;"
                " the app role has no right to change tables."
            )
            raise CommandError(message)
        super().handle(*args, **options)
        if options["app_label"] is None and not (options["plan"] or options["check_unapplied"]):
            rights.restate("owner")
