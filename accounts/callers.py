"""From a token or a signed-in user to the Caller that permissions and services see."""

from accounts.credentials import Program, find_access_token, find_program
from accounts.models import PERSON_SCOPE, APIClient, User
from core import ids
from core.actors import Actor
from core.api.caller import Caller
from core.ids import PublicId


def from_bearer(raw: str) -> Caller | None:
    """Return who calls with this token, or None when it is not live.

    Scopes are those of the token that the client still holds today.
    """
    program = find_program(raw)
    if program is not None:
        return _program(program)
    token = find_access_token(raw)
    if token is None or token.user is None:
        return None
    client: APIClient = token.application
    scopes = frozenset(token.scope.split()) & frozenset(client.allowed_scopes)
    return _person(token.user, scopes=scopes & {PERSON_SCOPE}, client=client)


def _program(program: Program) -> Caller:
    actor = Actor(
        id=program.client_id,
        role=program.kind,
        controller_id=program.controller_id,
        client_id=program.pk,
    )
    return Caller(
        actor=actor,
        controller_id=program.controller_id,
        scopes=frozenset(program.scope.split()) & frozenset(program.allowed),
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
