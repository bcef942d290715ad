"""From a token or a signed-in user to the Caller that permissions and services see."""

from accounts.models import PERSON_SCOPE, AccessToken, APIClient, User
from core import ids
from core.actors import Actor
from core.api.caller import Caller
from core.ids import PublicId


def from_token(token: AccessToken) -> Caller:
    """Return who calls with this live token.

    Scopes are those of the token that the client still holds today.
    """
    client: APIClient = token.application
    scopes = frozenset(token.scope.split()) & frozenset(client.allowed_scopes)
    if token.user is not None:
        return _person(token.user, scopes=scopes & {PERSON_SCOPE}, client=client)
    actor = Actor(
        id=client.client_id,
        role=client.kind,
        controller_id=client.controller_id,
        client_id=client.pk,
    )
    return Caller(
        actor=actor,
        controller_id=client.controller_id,
        scopes=scopes,
        is_person=False,
        roles=frozenset(),
    )


def from_session(user: User) -> Caller:
    """Return the signed-in person; a session carries roles and no scopes."""
    return _person(user, scopes=frozenset(), client=None)


def _person(user: User, *, scopes: frozenset[str], client: APIClient | None) -> Caller:
    roles = user.roles()
    actor = Actor(
        id=ids.format(PublicId.PERSON, user.person_id),
        role="+".join(sorted(roles)) or "none",
        controller_id=user.controller_id,
        person_id=user.person_id,
        client_id=client.pk if client is not None else None,
    )
    return Caller(
        actor=actor,
        controller_id=user.controller_id,
        scopes=scopes,
        is_person=True,
        roles=roles,
    )
