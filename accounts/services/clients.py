"""API clients: made and given a secret here, and nowhere else."""

import re
import secrets
from collections.abc import Collection
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from oauth2_provider.settings import oauth2_settings

from accounts.errors import ClientNotFound, ControllerNotFound
from accounts.models import (
    PERSON_SCOPE,
    AccessToken,
    APIClient,
    ClientKind,
    Controller,
    RefreshToken,
    public_client_id,
)
from core import audit, ids
from core.actors import Actor
from core.errors import InvalidInput
from core.unit_of_work import requires_unit_of_work, unit_of_work

_SCOPE = re.compile(r"[a-z0-9][a-z0-9:._-]{0,99}")
_SECRET_BYTES = 32
_NAME_LENGTH = 255


def create(
    *,
    controller_id: UUID | None,
    name: str,
    kind: str,
    scopes: Collection[str],
    actor: Actor,
    now: datetime,
    redirect_uris: Collection[str] = (),
) -> tuple[APIClient, str]:
    """Make a client; return it with its secret in clear, which is kept nowhere.

    A console client is public: its secret is empty, it needs `redirect_uris`, and
    `controller_id` None lets the staff of every controller use it. A scope that the registry
    does not know may be listed; a token for it is refused until it exists.
    Raises InvalidInput naming the field, ControllerNotFound.
    """
    _check(controller_id=controller_id, name=name, kind=kind, scopes=scopes)
    _check_redirects(kind=kind, redirect_uris=redirect_uris)
    client_uuid, secret = ids.new_random(), secrets.token_urlsafe(_SECRET_BYTES)
    public = kind == ClientKind.CONSOLE
    client = APIClient(
        id=client_uuid,
        client_id=public_client_id(client_uuid),
        client_secret=secret,
        name=name,
        kind=kind,
        controller_id=controller_id,
        allowed_scopes=sorted(set(scopes)),
        redirect_uris=" ".join(redirect_uris),
        **_flow(public=public),
    )
    with unit_of_work():
        client.save(force_insert=True)
        _record("accounts.client.created", client=client, actor=actor, now=now)
    return client, "" if public else secret


def rotate_secret(*, client_id: UUID, actor: Actor, now: datetime) -> str:
    """Replace the secret and end every token of the client; return the new secret once.

    Raises ClientNotFound (also for a public client, which has no secret).
    """
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    with unit_of_work():
        client = _locked(client_id)
        if client.kind == ClientKind.CONSOLE:
            raise ClientNotFound
        client.client_secret = secret
        client.save(update_fields=["client_secret", "updated"])
        _end_tokens(client)
        _record("accounts.client.secret_rotated", client=client, actor=actor, now=now)
    return secret


def deactivate(*, client_id: UUID, actor: Actor, now: datetime) -> None:
    """Refuse the client from now on and end its tokens. Raises ClientNotFound."""
    with unit_of_work():
        client = _locked(client_id)
        client.is_active = False
        client.save(update_fields=["is_active", "updated"])
        _end_tokens(client)
        _record("accounts.client.deactivated", client=client, actor=actor, now=now)


def _flow(*, public: bool) -> dict[str, str]:
    if public:
        return {
            "client_type": APIClient.CLIENT_PUBLIC,
            "authorization_grant_type": APIClient.GRANT_AUTHORIZATION_CODE,
        }
    return {
        "client_type": APIClient.CLIENT_CONFIDENTIAL,
        "authorization_grant_type": APIClient.GRANT_CLIENT_CREDENTIALS,
    }


def _check(*, controller_id: UUID | None, name: str, kind: str, scopes: Collection[str]) -> None:
    if kind not in ClientKind.values:
        raise InvalidInput(f"Choose from: {', '.join(ClientKind.values)}.", field="kind")
    if not name.strip() or len(name) > _NAME_LENGTH:
        raise InvalidInput("Give a name of at most 255 characters.", field="name")
    if any(_SCOPE.fullmatch(scope) is None for scope in scopes):
        raise InvalidInput("A scope is written as records:write.", field="scopes")
    if (kind == ClientKind.CONSOLE and set(scopes) != {PERSON_SCOPE}) or (
        kind != ClientKind.CONSOLE and PERSON_SCOPE in scopes
    ):
        raise InvalidInput(f"{PERSON_SCOPE} is the one scope of console clients.", field="scopes")
    if controller_id is None and kind != ClientKind.CONSOLE:
        raise InvalidInput("A source or pipeline belongs to a controller.", field="controller_id")
    if controller_id is not None and not Controller.objects.filter(pk=controller_id).exists():
        raise ControllerNotFound(field="controller_id")


def _check_redirects(*, kind: str, redirect_uris: Collection[str]) -> None:
    if (kind == ClientKind.CONSOLE) != bool(redirect_uris):
        raise InvalidInput(
            "A console client needs redirect URIs; others have none.", field="redirect_uris"
        )
    schemes: list[str] = oauth2_settings.ALLOWED_REDIRECT_URI_SCHEMES
    for uri in redirect_uris:
        parts = urlsplit(uri)
        if parts.scheme not in schemes or not parts.hostname or " " in uri or "#" in uri:
            raise InvalidInput(f"Use an absolute URI: {', '.join(schemes)}.", field="redirect_uris")


def _locked(client_id: UUID) -> APIClient:
    client = APIClient.objects.select_for_update().filter(pk=client_id).first()
    if client is None:
        raise ClientNotFound
    return client


@requires_unit_of_work
def _end_tokens(client: APIClient) -> None:
    RefreshToken.objects.filter(application=client).delete()
    AccessToken.objects.filter(application=client).delete()


def _record(action: str, *, client: APIClient, actor: Actor, now: datetime) -> None:
    audit.record(
        action=action,
        actor=actor,
        controller_id=client.controller_id,
        now=now,
        details={
            "client_id": client.client_id,
            "kind": client.kind,
            "scopes": list(client.allowed_scopes),
        },
    )
