"""Named people of the commands that need one: found by e-mail, shown by role, kept by opaque id."""

from django.core.management.base import CommandError

from accounts.models import User
from core import ids
from core.actors import Actor
from core.ids import PublicId


def named(email: str, *roles: str) -> Actor:
    """The active member of staff with this address and one of the roles. Raises CommandError."""
    user = User.objects.filter(email=email.strip().lower(), is_active=True).first()
    held = set() if user is None else set(user.role_assignments.values_list("role", flat=True))
    for role in roles:
        if user is not None and role in held:
            return Actor(
                id=ids.format(PublicId.PERSON, user.person_id),
                role=role,
                controller_id=user.controller_id,
                person_id=user.person_id,
            )
    message = f"Name an active member of staff with the role {' or '.join(roles)}."
    raise CommandError(message)
