from dataclasses import dataclass
from uuid import UUID

from core.actors import Actor


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent the request, as `request.user`.

    `is_person` is true for a session and for a token that a person obtained (authorization code
    with PKCE), false for client credentials: acts of decision ask for a person.
    """

    actor: Actor
    controller_id: UUID | None
    scopes: frozenset[str]
    is_person: bool
    roles: frozenset[str]

    #: Django's and DRF's own code asks these of a user.
    is_authenticated = True
    is_anonymous = False
    is_active = True
