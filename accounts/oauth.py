"""OAuth rules of this product on top of django-oauth-toolkit.

Two flows only: client credentials for programs, authorization code with PKCE S256 for people.
Tokens and codes are looked up by SHA-256 checksum and never stored. The rules are code, not
settings, so that a changed setting cannot weaken them.
"""

import re
from datetime import datetime, timedelta
from typing import Any, Final

from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749 import errors
from typing_extensions import override

from accounts.credentials import (
    allowed_scopes,
    checksum,
    find_access_token,
    find_client,
    may_act,
)
from accounts.models import (
    AccessToken,
    APIClient,
    AuthorizationGrant,
    ClientKind,
    RefreshToken,
)
from core.clock import now

#: S256 writes 32 bytes in base64url without padding (RFC 7636 §4.2).
_S256_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_CODE_LIFE: Final = timedelta(seconds=60)
#: How long a refresh token outlives the access token that came with it.
_REFRESH_LIFE: Final = timedelta(hours=8)
_GRANT_TYPES: Final = {
    "client_credentials": {ClientKind.SOURCE, ClientKind.PIPELINE},
    "authorization_code": {ClientKind.CONSOLE},
    "refresh_token": {ClientKind.CONSOLE},
}


class TokenValidator(OAuth2Validator):  # type: ignore[misc]  # the toolkit carries no types
    """Answers oauthlib's questions; every answer that is not sure is no."""

    @override
    def _load_application(self, client_id: str | None, request: Request) -> APIClient | None:
        """Refuse what is not one of our client ids before it reaches the database."""
        client = request.client
        if not isinstance(client, APIClient) or client.client_id != client_id:
            client = find_client(client_id)
        request.client = client if client is not None and client.is_usable(request) else None
        return request.client  # type: ignore[no-any-return]

    # --- what may be asked for ---------------------------------------------------------------
    @override
    def validate_grant_type(
        self, client_id: str, grant_type: str, client: APIClient, request: Request, *_: Any
    ) -> bool:
        return client.kind in _GRANT_TYPES.get(grant_type, set())

    @override
    def validate_response_type(
        self, client_id: str, response_type: str, client: APIClient, request: Request, *_: Any
    ) -> bool:
        return response_type == "code" and client.kind == ClientKind.CONSOLE

    @override
    def validate_scopes(
        self, client_id: str, scopes: list[str], client: APIClient, request: Request, *_: Any
    ) -> bool:
        return bool(scopes) and set(scopes) <= set(allowed_scopes(client, request))

    @override
    def get_default_scopes(self, client_id: str, request: Request, *_: Any) -> list[str]:
        return allowed_scopes(request.client, request)

    @override
    def validate_user(self, *_: Any, **__: Any) -> bool:
        """Refuse the password grant, whatever a client is registered for."""
        return False

    @override
    def authenticate_client(self, request: Request, *args: Any, **kwargs: Any) -> bool:
        """Check one presented secret once; a failed Basic header is not tried again as a body."""
        if self._extract_basic_auth(request):
            return bool(self._authenticate_basic_auth(request))
        return bool(self._authenticate_request_body(request))

    @override
    def is_pkce_required(self, client_id: str, request: Request) -> bool:
        """Require PKCE always; asked at the authorization request, so `plain` ends here too."""
        if request.response_type is not None:
            _require_s256(request)
        return True

    # --- authorization codes: kept and found by checksum ---------------------------------------
    @override
    def validate_code(
        self, client_id: str, code: str, client: APIClient, request: Request, *_: Any
    ) -> bool:
        if not super().validate_code(client_id, checksum(code), client, request):
            return False
        return may_act(request.user, client)

    @override
    def confirm_redirect_uri(
        self, client_id: str, code: str, redirect_uri: str, client: APIClient, *_: Any
    ) -> bool:
        return bool(_grant(code, client).redirect_uri_allowed(redirect_uri))

    @override
    def get_code_challenge(self, code: str, request: Request) -> str:
        return str(_grant(code, request.client).code_challenge)

    @override
    def get_code_challenge_method(self, code: str, request: Request) -> str:
        return str(_grant(code, request.client).code_challenge_method)

    @override
    def invalidate_authorization_code(
        self, client_id: str, code: str, request: Request, *args: Any, **kwargs: Any
    ) -> None:
        super().invalidate_authorization_code(client_id, checksum(code), request)

    @override
    def get_authorization_code_scopes(
        self, client_id: str, code: str, redirect_uri: str, request: Request
    ) -> list[str]:
        return str(_grant(code, request.client).scope).split()

    @override
    def get_authorization_code_nonce(self, *_: Any, **__: Any) -> None:
        """Nonces belong to OpenID Connect, which is off."""

    @override
    def _create_authorization_code(
        self, request: Request, code: dict[str, str], expires: datetime | None = None
    ) -> AuthorizationGrant:
        _require_s256(request)
        _refuse_resource(request)
        if not may_act(request.user, request.client):
            raise errors.AccessDeniedError(request=request)
        request.nonce, request.claims = None, None
        kept = {**code, "code": checksum(code["code"])}
        grant: AuthorizationGrant = super()._create_authorization_code(
            request, kept, expires or now() + _CODE_LIFE
        )
        return grant

    # --- tokens --------------------------------------------------------------------------------
    @override
    def _set_token_value(self, token_instance: AccessToken | RefreshToken, raw_token: str) -> None:
        token_instance._raw_token = raw_token  # noqa: SLF001  the toolkit's way to the checksum
        token_instance.token = ""

    @override
    def _check_and_set_request_resource(self, request: Request) -> None:
        _refuse_resource(request)
        request.resource = []

    @override
    def _create_access_token(
        self,
        expires: datetime,
        request: Request,
        token: dict[str, Any],
        source_refresh_token: RefreshToken | None = None,
    ) -> AccessToken:
        """Store the token with an end on our own clock, which tests and the demo can move."""
        life = timedelta(seconds=token["expires_in"])
        made: AccessToken = super()._create_access_token(
            now() + life, request, token, source_refresh_token
        )
        return made

    @override
    def _save_bearer_token(self, token: dict[str, Any], request: Request, *args: Any) -> None:
        """Store the pair, once per refresh token.

        Of two requests that present one refresh token at once the second waits for the lock and
        is refused: with nothing in clear there is no pair to answer again with.
        """
        used = getattr(request, "refresh_token_instance", None)
        if used is not None and not (
            RefreshToken.objects.select_for_update()
            .filter(pk=used.pk, revoked__isnull=True)
            .first()
        ):
            raise errors.InvalidGrantError(request=request)
        super()._save_bearer_token(token, request, *args)

    @override
    def rotate_refresh_token(self, request: Request) -> bool:
        return True

    @override
    def validate_refresh_token(
        self, refresh_token: str, client: APIClient, request: Request, *_: Any
    ) -> bool:
        """Accept a live refresh token of this client; a used one ends its whole family."""
        found = (
            RefreshToken.objects.filter(
                token_checksum=checksum(refresh_token), application_id=client.pk
            )
            .select_related("access_token", "user__controller")
            .order_by("-pk")
            .first()
        )
        if found is None:
            return False
        if found.revoked is not None:
            RefreshToken.revoke_family(found.token_family)
            return False
        if found.access_token is None or found.access_token.expires + _REFRESH_LIFE <= now():
            return False
        if not may_act(found.user, client):
            return False
        request.user, request.refresh_token = found.user, refresh_token
        request.refresh_token_instance = found
        return True

    @override
    def validate_bearer_token(self, token: str, scopes: list[str], request: Request) -> bool:
        """Answer the toolkit's own views; the API uses `accounts.api.authentication`."""
        found = find_access_token(token) if token else None
        if found is None or not found.allow_scopes(scopes):
            return False
        request.client, request.user = found.application, found.user
        request.scopes, request.access_token = found.scope.split(), found
        return True

    @override
    def introspect_token(self, *_: Any, **__: Any) -> None:
        """Introspection is off: whoever holds a token already knows what it is."""


def _grant(code: str, client: APIClient) -> AuthorizationGrant:
    try:
        return AuthorizationGrant.objects.get(code=checksum(code), application=client)
    except AuthorizationGrant.DoesNotExist:
        raise errors.InvalidGrantError from None


def _require_s256(request: Request) -> None:
    if request.code_challenge is None:
        raise errors.MissingCodeChallengeError(request=request)
    if request.code_challenge_method != "S256":
        raise errors.UnsupportedCodeChallengeMethodError(request=request)
    if _S256_CHALLENGE.fullmatch(request.code_challenge) is None:
        raise errors.InvalidRequestError(
            description="code_challenge must be 43 base64url characters.", request=request
        )


def _refuse_resource(request: Request) -> None:
    """Refuse resource indicators (RFC 8707): there is one resource, and no token to narrow."""
    if getattr(request, "resource", None):
        raise errors.CustomOAuth2Error(
            error="invalid_target",
            description="Resource indicators are not supported.",
            request=request,
        )
