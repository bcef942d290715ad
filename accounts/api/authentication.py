"""Authentication of the REST API: an access token, or a staff session with CSRF protection.

Only reads, so that the stream process, whose database role may SELECT and no more, can use it.
"""

import re
from typing import Any, Final

from django.conf import settings
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts import callers
from accounts.credentials import may_act
from accounts.models import User
from core.api.caller import Caller

#: The b64token of RFC 6750; ours are far shorter than the bound.
_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]{1,512}=*)", re.IGNORECASE)
_CHALLENGE: Final = 'Bearer realm="lethe"'


class CallerAuthentication(BaseAuthentication):
    """Sets `request.user` to a Caller; `request.auth` stays None."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is not None:
            return _from_header(header)
        if settings.LETHE_PROCESS == "stream":
            return None  # pipelines hold tokens; a session might have to be written
        return _from_session(request)

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme; an offered credential that was refused is said to be invalid."""
        if "HTTP_AUTHORIZATION" in request.META:
            return f'{_CHALLENGE}, error="invalid_token"'
        return _CHALLENGE


def _from_header(header: str) -> tuple[Caller, None]:
    match = _BEARER.fullmatch(header.strip())
    caller = callers.from_bearer(match.group(1)) if match else None
    if caller is None:
        raise AuthenticationFailed
    return caller, None


def _from_session(request: Request) -> tuple[Caller, None] | None:
    user = getattr(request._request, "user", None)  # noqa: SLF001  as DRF's own does
    if not isinstance(user, User) or not may_act(user, None):
        return None
    # Unsafe methods need the session's CSRF token; safe ones pass.
    SessionAuthentication().enforce_csrf(request._request)  # type: ignore[arg-type]  # noqa: SLF001
    return callers.from_session(user), None
