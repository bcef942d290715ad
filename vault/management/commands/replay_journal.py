"""Bring restored stores back to what the erasure journal says; see docs/runbooks."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core import clock, rights
from core.errors import ServiceError
from vault.services import gate, releasing, replaying


class Command(BaseCommand):
    help = (
        "Apply the erasure journal to stores that were restored (LETHE_PROCESS=eraser), then read "
        "it back (LETHE_PROCESS=attester). May be interrupted and run again."
    )

    def handle(self, *_: object, **__: Any) -> None:
        """Apply or verify, by what this process is."""
        acts = {"eraser": self._apply, "attester": self._verify}
        act = acts.get(settings.LETHE_PROCESS)
        if act is None:
            message = "Run this as the eraser, then as the attester: set LETHE_PROCESS."
            raise CommandError(message)
        wide = rights.too_wide()
        if wide:
            message = (
                "The restored database lets the app role change what is only ever added to "
                f"({', '.join(wide)}). Run `manage.py migrate --database=owner` first."
            )
            raise CommandError(message)
        try:
            act()
        except replaying.NothingToReplay as error:
            self.stdout.write(error.detail)
        except ServiceError as error:
            message = f"{error.detail} ({error.code})"
            raise CommandError(message) from None

    def _apply(self) -> None:
        replay = replaying.apply(now=clock.now())
        self.stdout.write(
            f"Entries {replay.after_sequence + 1} to {replay.to_sequence} were applied:"
        )
        for name, count in sorted(replay.counts.items()):
            self.stdout.write(f"  {name}: {count}")
        held = len(releasing.held())
        if held:
            self.stdout.write(
                f"{held} destructions are not in the journal and wait for a named officer: "
                "see `manage.py release_destructions`."
            )
        self.stdout.write("Now run this as the attester; data is served after that.")

    def _verify(self) -> None:
        count = replaying.verify(now=clock.now())
        self.stdout.write(f"{count} key shares were read back; none lives.")
        self.stdout.write(f"The eraser opens the gate at its next round ({gate.state().reason}).")
