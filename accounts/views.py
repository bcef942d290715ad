"""The plain pages that are not allauth's: home, and the OAuth endpoints without their extras."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from oauth2_provider import views as toolkit

from accounts.models import User


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Say who is signed in and with which roles, or point to the sign-in page."""
    user = request.user
    known = isinstance(user, User)
    context = {
        "roles": sorted(user.roles()) if isinstance(user, User) else [],
        "controller": user.controller.name if known and user.controller else "",
    }
    return render(request, "home.html", context)


class TokenView(toolkit.TokenView):  # type: ignore[misc]  # the toolkit carries no types
    """The token endpoint without the device flow, which the toolkit would answer as well."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = self.authorization_flow_token_response(request)
        return response
