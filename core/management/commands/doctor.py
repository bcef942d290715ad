from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import doctor


class Command(BaseCommand):
    help = "Say what is wrong with this installation and how to mend it."
    requires_system_checks = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Print one line per check; exit status 1 when something is wrong."""
        wrong = 0
        for finding in doctor.findings():
            if finding.is_right:
                self.stdout.write(f"ok     {finding.name}")
                continue
            wrong += 1
            self.stdout.write(f"WRONG  {finding.name}")
            self.stdout.write(f"       {finding.remedy}")
        if wrong:
            raise CommandError(f"{wrong} of the checks above failed.")
