"""`manage.py bootstrap`: the first controller and its first staff."""

import secrets
from argparse import ArgumentParser
from dataclasses import dataclass
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Controller, Role, User
from accounts.models.user import UserManager
from accounts.services import controllers, staff
from core import clock
from core.actors import Actor, process_actor
from core.errors import ServiceError


@dataclass(frozen=True, slots=True)
class _Member:
    email: str
    roles: frozenset[str]


class Command(BaseCommand):
    help = (
        "Make a controller and its staff, and print their one-time passwords. "
        "Run again with the same arguments it changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--controller", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True, help="name of the organisation")
        parser.add_argument("--country", required=True, help="two letters, as DE")
        parser.add_argument("--timezone", default="UTC", help="as Europe/Berlin; default UTC")
        parser.add_argument(
            "--staff",
            action="append",
            default=[],
            metavar="EMAIL:ROLE[,ROLE]",
            help=f"may be repeated; roles: {', '.join(Role.values)}",
        )

    def handle(self, **options: Any) -> None:
        actor = process_actor("command")
        try:
            members = _parse_members(options["staff"])
            controller = _existing_controller(options)
            missing = _missing(members, controller)
            if controller is None:
                controller = self._create_controller(options, actor)
            else:
                self.stdout.write(f"Controller {controller.slug} is already there.")
            for member in members:
                self._ensure_member(member, controller, actor, make=member in missing)
        except ServiceError as error:
            field = f" ({error.context['field']})" if "field" in error.context else ""
            raise CommandError(f"{error.detail}{field}") from error

    def _create_controller(self, options: dict[str, Any], actor: Actor) -> Controller:
        controller = controllers.create(
            slug=options["controller"],
            name=options["name"],
            country=options["country"],
            timezone=options["timezone"],
            actor=actor,
            now=clock.now(),
        )
        self.stdout.write(f"Controller {controller.slug} made: {controller.pk}")
        return controller

    def _ensure_member(
        self, member: _Member, controller: Controller, actor: Actor, *, make: bool
    ) -> None:
        if not make:
            self.stdout.write(f"{member.email} is already there.")
            return
        password = secrets.token_urlsafe(12)
        staff.create(
            email=member.email,
            password=password,
            roles=member.roles,
            controller_id=controller.pk,
            actor=actor,
            now=clock.now(),
        )
        self.stdout.write(
            f"{member.email} made ({', '.join(sorted(member.roles))}); "
            f"one-time password, shown only now: {password}"
        )


def _parse_members(texts: list[str]) -> list[_Member]:
    members: dict[str, _Member] = {}
    for text in texts:
        email, separator, roles = text.rpartition(":")
        names = frozenset(role.strip() for role in roles.split(",") if role.strip())
        if not separator or not email or not names:
            raise CommandError("Write --staff as EMAIL:ROLE[,ROLE].")
        address = UserManager.normalize_email(email)
        if unknown := names - set(Role.values):
            raise CommandError(
                f"Unknown role {', '.join(sorted(unknown))}; choose from {', '.join(Role.values)}."
            )
        if address in members:
            raise CommandError(f"{address} is named twice; give all roles at once.")
        members[address] = _Member(email=address, roles=names)
    return list(members.values())


def _existing_controller(options: dict[str, Any]) -> Controller | None:
    controller = Controller.objects.filter(slug=options["controller"]).first()
    if controller is None:
        return None
    given = (options["name"], options["country"], options["timezone"])
    if given != (controller.name, controller.country, controller.timezone):
        raise CommandError(
            f"Controller {controller.slug} exists with another name, country or time zone."
        )
    return controller


def _missing(members: list[_Member], controller: Controller | None) -> list[_Member]:
    """Return who is still to be made. Raises CommandError when somebody exists otherwise."""
    missing: list[_Member] = []
    for member in members:
        user = User.objects.filter(email=member.email).first()
        if user is None:
            missing.append(member)
        elif controller is None or user.controller_id != controller.pk:
            raise CommandError(f"{member.email} already belongs to another controller.")
        elif user.roles() != member.roles:
            held = ", ".join(sorted(user.roles())) or "none"
            raise CommandError(f"{member.email} exists with other roles: {held}.")
    return missing
