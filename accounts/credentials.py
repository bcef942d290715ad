"""Finding clients and tokens by what was presented, and telling whether they may act now.

Only reads: the stream process uses this with a database role that may SELECT and no more.
"""

import hashlib
import re
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from oauth2_provider.scopes import get_scopes_backend
from oauthlib.common import Request

from accounts.models import PERSON_SCOPE, AccessToken, APIClient, ClientKind, User
from core import clock, statements

_CLIENT_ID: Final = re.compile(r"cli_[0-9a-z]{26}")
_PROGRAM: Final = """
SELECT t.scope, t.expires, c.id, c.client_id, c.kind, c.controller_id, c.allowed_scopes
FROM accounts_accesstoken t
JOIN accounts_apiclient c ON c.id = t.application_id
JOIN accounts_controller o ON o.id = c.controller_id
WHERE t.token_checksum = %s AND t.user_id IS NULL AND c.kind <> 'console'
  AND c.is_active AND o.is_active"""


class Program(NamedTuple):
    """A live token of a program; `scope` is what it was given, `allowed` what it may have today."""

    scope: str
    expires: datetime
    pk: UUID
    client_id: str
    kind: str
    controller_id: UUID
    allowed: list[str]


def checksum(secret: str) -> str:
    """Return the SHA-256 under which a token or code is kept; it is random, so this hides it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def may_act(user: User, client: APIClient | None) -> bool:
    """Tell whether the user is active, and allowed to act through this client."""
    if not user.is_active or (user.controller is not None and not user.controller.is_active):
        return False
    return client is None or client.controller_id in (None, user.controller_id)


def allowed_scopes(client: APIClient, request: Request | None = None) -> list[str]:
    """Return what the client may ask for: listed on the client and known to the registry.

    People's tokens never carry the scopes of programs, which would stand in for a role.
    """
    if client.kind == ClientKind.CONSOLE:
        return [PERSON_SCOPE] if PERSON_SCOPE in client.allowed_scopes else []
    known = get_scopes_backend().get_available_scopes(application=client, request=request)
    return sorted(set(client.allowed_scopes) & set(known) - {PERSON_SCOPE})


def find_client(client_id: str | None) -> APIClient | None:
    """Return the client of this public id, active or not."""
    if client_id is None or _CLIENT_ID.fullmatch(client_id) is None:
        return None
    return APIClient.objects.select_related("controller").filter(client_id=client_id).first()


def find_program(raw: str) -> Program | None:
    """As `find_access_token` for a program's token, by one prepared statement; None for others."""
    for row in statements.fetch(_PROGRAM, [checksum(raw)]):
        program = Program._make(row)
        return program if clock.now() < program.expires else None
    return None


def find_access_token(raw: str) -> AccessToken | None:
    """Return the live token, with client, user and their controllers loaded; reads only."""
    token = (
        AccessToken.objects.select_related("application__controller", "user__controller")
        .filter(token_checksum=checksum(raw))
        .first()
    )
    if token is None or token.is_expired() or token.application is None:
        return None
    client: APIClient = token.application
    if not client.is_usable(None):
        return None
    if client.kind == ClientKind.CONSOLE:
        return token if token.user is not None and may_act(token.user, client) else None
    return token if token.user is None else None
