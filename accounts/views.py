"""The plain pages that are not allauth's: home, and the OAuth endpoints without their extras."""

from typing import Any

from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from oauth2_provider import views as toolkit
from oauth2_provider.exceptions import FatalClientError
from oauthlib.common import urldecode
from oauthlib.oauth2.rfc6749.errors import InvalidClientIdError
from typing_extensions import override

from accounts.credentials import find_client
from accounts.models import User

_GRANT_TYPES = frozenset({"client_credentials", "authorization_code", "refresh_token"})


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Say who is signed in and with which roles, or point to the sign-in page."""
    user = request.user
    context: dict[str, object] = {}
    if isinstance(user, User):
        context["roles"] = sorted(user.roles())
        context["controller"] = user.controller.name if user.controller else ""
    return render(request, "home.html", context)


class _ReadableQuery:
    """Answers 400 to a query string that oauthlib would raise ValueError for."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            urldecode(request.META.get("QUERY_STRING", ""))
        except ValueError:
            return _refusal("invalid_request")
        response: HttpResponseBase = super().dispatch(  # type: ignore[misc]
            request, *args, **kwargs
        )
        return response


class AuthorizationView(_ReadableQuery, toolkit.AuthorizationView):  # type: ignore[misc]
    """The page that asks a person whether a client may act for them."""

    @override
    def form_valid(self, form: Form) -> HttpResponse:
        if find_client(form.cleaned_data["client_id"]) is None:
            refusal = FatalClientError(error=InvalidClientIdError())
            return self.error_response(refusal, application=None)  # type: ignore[no-any-return]
        return super().form_valid(form)  # type: ignore[no-any-return]


@method_decorator(csrf_exempt, name="dispatch")
class TokenView(_ReadableQuery, toolkit.TokenView):  # type: ignore[misc]
    """The token endpoint for our flows; the toolkit's device flow ends in a 500 otherwise."""

    @override
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.POST.get("grant_type") not in _GRANT_TYPES:
            return _refusal("unsupported_grant_type")
        response: HttpResponse = self.authorization_flow_token_response(request)
        # The toolkit leaves both out when a token is refused at the moment it would be stored.
        response.headers["Content-Type"] = "application/json"
        response.headers["Cache-Control"] = "no-store"
        return response


@method_decorator(csrf_exempt, name="dispatch")
class RevokeTokenView(_ReadableQuery, toolkit.RevokeTokenView):  # type: ignore[misc]
    """Revocation by the client that a token was issued to."""


def _refusal(error: str) -> JsonResponse:
    return JsonResponse({"error": error}, status=400, headers={"Cache-Control": "no-store"})
