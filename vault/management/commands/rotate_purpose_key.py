"""Give wrapping keys new versions, step by step; see docs/runbooks/rotation.md."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from accounts.management import officers
from core import clock, ids
from core.errors import ServiceError
from core.ids import PublicId
from vault.domain.states import RotationState
from vault.models import Rotation
from vault.services import gate, rewrapping, rotating, rotation_steps

_WORDS = {
    RotationState.PLANNED: "not rotated yet",
    RotationState.ROTATED: "awaits a snapshot of the key store that holds the new version",
    RotationState.REWRAPPING: "rewraps grants",
    RotationState.REWRAPPED: "awaits the end of the database backups from before",
    RotationState.DONE: "done; older versions are refused",
}


class Command(BaseCommand):
    help = (
        "Rotate the wrapping key of a purpose, or custody's. Begins a rotation that is named and "
        "takes all that are running as far as they can go; run it from a timer until all are done."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--purpose", help="prp_…: begin with this purpose's key")
        parser.add_argument("--custody", action="store_true", help="begin with the custody key")
        parser.add_argument("--custodian", help="e-mail of the key custodian who asks for it")
        parser.add_argument("--status", action="store_true", help="show, and do nothing")

    def handle(self, *_: object, **options: Any) -> None:
        """Begin what is named, advance what is running, and say how each stands."""
        wanted = options["custody"] + (options["purpose"] is not None)
        if wanted > 1 or (wanted and options["status"]):
            raise CommandError("Name one of --purpose, --custody, --status.")
        try:
            if not options["status"]:
                gate.require_open()
                if wanted:
                    self._begin(options["purpose"], options["custodian"])
                self._advance()
        except ServiceError as error:
            message = f"{error.detail} ({error.code})"
            raise CommandError(message) from None
        finally:
            self._say()

    def _begin(self, purpose: str | None, custodian: str | None) -> None:
        if custodian is None:
            raise CommandError("Say who asks for it: --custodian E-MAIL.")
        actor = officers.named(custodian, "key-custodian")
        purpose_id: UUID | None = None
        if purpose is not None:
            purpose_id = ids.parse(PublicId.PURPOSE, purpose)
        rotating.begin(purpose_id=purpose_id, actor=actor, now=clock.now())

    def _advance(self) -> None:
        """Each until it waits for others; one that fails does not stop the rest."""
        failed: ServiceError | None = None
        for row in rotating.running():
            try:
                again: datetime | None = clock.now()
                while again is not None and again <= clock.now():
                    again = rotation_steps.advance(rotation_id=row.id, clock=clock.now)
            except ServiceError as error:
                self.stderr.write(f"{row.wrapping_key}: {error.detail} ({error.code})")
                failed = error
        if failed is not None:
            raise failed

    def _say(self) -> None:
        rows = rotating.latest(limit=20)
        if not rows:
            self.stdout.write("No key was ever rotated.")
        for row in rows:
            self.stdout.write(f"{row.wrapping_key}: {self._progress(row)}")

    def _progress(self, row: Rotation) -> str:
        state = RotationState(row.state)
        words = f"{state.value}, {_WORDS[state]}"
        if row.to_version is None:
            return words
        said = f"{words}; version {row.to_version}, {row.rewrapped} grants rewrapped"
        left = 0 if state is RotationState.DONE else rewrapping.left(row)
        return f"{said}, {left} to go" if left else said
