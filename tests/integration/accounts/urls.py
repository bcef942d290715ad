"""Accounts' own URLs and one probe that says who the API thinks is calling."""

from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import urls as accounts_urls
from core.api.caller import Caller


class Probe(APIView):
    def get(self, request: Request) -> Response:
        caller: object = request.user
        assert isinstance(caller, Caller)
        return Response(
            {
                "actor": caller.actor.id,
                "role": caller.actor.role,
                "controller": str(caller.controller_id),
                "person": str(caller.actor.person_id),
                "scopes": sorted(caller.scopes),
                "roles": sorted(caller.roles),
                "is_person": caller.is_person,
            }
        )

    def post(self, request: Request) -> Response:
        return self.get(request)


urlpatterns = [
    path("", include(accounts_urls.urlpatterns)),
    path("accounts/", include(accounts_urls.account_urlpatterns)),
    path("o/", include(accounts_urls.oauth_urlpatterns)),
    path("probe", Probe.as_view()),
    path("api/schema", Probe.as_view(), name="api-schema"),
]
