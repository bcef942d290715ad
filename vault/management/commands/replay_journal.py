"""Bring restored stores back to what the erasure journal says; see docs/runbooks."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.management import officers
from core import clock, rights
from core.actors import Actor
from core.errors import ServiceError
from vault.services import gate, losing, releasing, replaying


class Command(BaseCommand):
    help = (
        "Apply the erasure journal to stores that were restored (LETHE_PROCESS=eraser), then read "
        "it back (LETHE_PROCESS=attester). May be interrupted and run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--accept-loss",
            action="store_true",
            help="although the key store lacks many keys of living people, or all",
        )
        parser.add_argument("--operator", help="e-mail of the operator who answers for that loss")

    def handle(self, *, accept_loss: bool, operator: str | None, **_: Any) -> None:
        """Apply or verify, by what this process is."""
        if accept_loss != (operator is not None):
            raise CommandError("--accept-loss and --operator go together.")
        named = None if operator is None else officers.named(operator, "operator")
        acts = {"eraser": lambda: self._apply(named), "attester": self._verify}
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
        except losing.LossNotAccepted as error:
            message = (
                f"{error.detail} Missing: {error.context['missing']} of {error.context['of']}. "
                "Put the right snapshot back, or answer for the loss: --accept-loss --operator "
                f"E-MAIL. ({error.code})"
            )
            raise CommandError(message) from None
        except ServiceError as error:
            message = f"{error.detail} ({error.code})"
            raise CommandError(message) from None

    def _apply(self, accepted_by: Actor | None) -> None:
        try:
            replay = replaying.apply(now=clock.now(), accepted_by=accepted_by)
        except replaying.NothingToReplay as error:
            self.stdout.write(error.detail)
            # A key store that forgot no destruction may still lack keys that were made since.
            found = losing.find(now=clock.now(), accepted_by=accepted_by)
            self._say_lost(found.lost, found.again, found.standing)
            self._say_versions(found.versions)
            return
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
        standing = losing.count()
        self._say_lost(replay.counts.get("lost", 0), replay.counts.get("found", 0), standing)
        self._say_versions(replay.counts.get("versions", 0))
        self.stdout.write("Now run this as the attester; data is served after that.")

    def _say_lost(self, lost: int, again: int, standing: int) -> None:
        if again:
            self.stdout.write(f"{again} key shares that were lost are there again.")
        if lost:
            self.stdout.write(f"LOST: the key store lacks {lost} key shares of living people.")
        if standing:
            self.stdout.write(
                f"{standing} key shares are lost in all; whose, says `manage.py lost_keys`. "
                "Is there a younger snapshot?"
            )

    def _say_versions(self, count: int) -> None:
        if count:
            self.stdout.write(
                f"LOST: {count} versions of wrapping keys, which were rotated since the snapshot. "
                "See docs/runbooks/rotation.md."
            )

    def _verify(self) -> None:
        try:
            count = replaying.verify(now=clock.now())
        except replaying.NothingToReplay as error:
            self.stdout.write(error.detail)
            return
        self.stdout.write(f"{count} key shares were read back; none lives.")
        self.stdout.write(f"The eraser opens the gate at its next round ({gate.state().reason}).")
