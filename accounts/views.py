"""The plain pages that are not allauth's: home, and the OAuth endpoints without their extras."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from oauth2_provider import views as toolkit
from typing_extensions import override

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


class TokenView(toolkit.TokenView):  # type: ignore[misc]  # the toolkit carries no types
    """The token endpoint for our flows; the toolkit's device flow ends in a 500 otherwise."""

    @override
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.POST.get("grant_type") not in _GRANT_TYPES:
            return JsonResponse({"error": "unsupported_grant_type"}, status=400)
        response: HttpResponse = self.authorization_flow_token_response(request)
        return response
