"""List the effects that wait for an operator, and put them back once their cause is mended."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from accounts.management import officers
from core import clock, effects
from core.errors import ServiceError
from core.models import Effect, EffectState


class Command(BaseCommand):
    help = "List effects that were handed to an operator; with --resume they are tried again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--resume", action="append", default=[], type=UUID, metavar="ID")
        parser.add_argument("--all", action="store_true", help="resume every effect on the list")
        parser.add_argument("--operator", help="e-mail of an operator, who answers for it")

    def handle(self, *, resume: list[UUID], operator: str | None, **options: Any) -> None:
        """Without --operator only the list is shown."""
        stuck = Effect.objects.filter(state=EffectState.NEEDS_OPERATOR).order_by("due_at", "id")
        if operator is None:
            self.stdout.write(f"{stuck.count()} effects wait for an operator.")
            for effect in stuck:
                self.stdout.write(f"  {effect.id}  {effect.kind}  {effect.last_error}")
            return
        actor = officers.named(operator, "operator")
        chosen = [effect.id for effect in stuck] if options["all"] else resume
        if not chosen:
            raise CommandError("Name effects with --resume, or --all.")
        for effect_id in chosen:
            try:
                effects.resume(effect_id=effect_id, actor=actor, now=clock.now())
            except ServiceError as error:
                raise CommandError(f"{effect_id}: {error.detail} ({error.code})") from None
        self.stdout.write(f"{len(chosen)} effects were put back; they run within seconds.")
