"""Controllers: the organisations that this installation serves."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import IntegrityError

from accounts.errors import ControllerExists
from accounts.models import Controller
from core import audit
from core.actors import Actor
from core.errors import InvalidInput
from core.unit_of_work import unit_of_work

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_NAME_LENGTH = 200
_COUNTRY = re.compile(r"[A-Z]{2}")


def create(
    *, slug: str, name: str, country: str, actor: Actor, now: datetime, timezone: str = "UTC"
) -> Controller:
    """Make a controller.

    `country` is ISO 3166-1 alpha-2 and `timezone` an IANA name; deadlines are computed with both.
    Raises InvalidInput naming the field, ControllerExists.
    """
    _check(slug=slug, name=name, country=country, timezone=timezone)
    try:
        with unit_of_work():
            controller = Controller.objects.create(
                slug=slug, name=name, country=country, timezone=timezone, created_at=now
            )
            audit.record(
                action="accounts.controller.created",
                actor=actor,
                controller_id=controller.pk,
                now=now,
                details={"country": country},
            )
    except IntegrityError as error:
        if Controller.objects.filter(slug=slug).exists():
            raise ControllerExists(field="slug") from error
        raise
    return controller


def _check(*, slug: str, name: str, country: str, timezone: str) -> None:
    if _SLUG.fullmatch(slug) is None:
        raise InvalidInput("Use lower-case letters, digits and hyphens.", field="slug")
    if not name.strip() or len(name) > _NAME_LENGTH:
        raise InvalidInput("Give a name of at most 200 characters.", field="name")
    if _COUNTRY.fullmatch(country) is None:
        raise InvalidInput("Use two capital letters, as DE.", field="country")
    try:
        ZoneInfo(timezone)
    except (ValueError, OSError, LookupError) as error:
        raise InvalidInput("Use an IANA name, as Europe/Berlin.", field="timezone") from error
