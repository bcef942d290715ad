"""URLs of the web processes: pages, sign-in, OAuth and the REST API except the streams."""

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularJSONAPIView

from accounts import urls as accounts_urls
from contracts.api import verifier
from core.api.health import healthz, readyz
from core.metrics import metrics
from governance.api.urls import web_urlpatterns, well_known_urlpatterns

handler400 = "core.api.problems.bad_request"
handler403 = "core.api.problems.permission_denied"
handler404 = "core.api.problems.page_not_found"
handler500 = "core.api.problems.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include(accounts_urls.urlpatterns)),
    path("accounts/", include(accounts_urls.account_urlpatterns)),
    path("o/", include(accounts_urls.oauth_urlpatterns)),
    path(".well-known/", include(well_known_urlpatterns)),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("log/", include("contracts.api.urls")),
    path("status/", include("contracts.api.status_urls")),
    path("verify", verifier.page, name="verify"),
    path("api/v1/", include(web_urlpatterns)),
    path("api/schema", SpectacularJSONAPIView.as_view(), name="api-schema"),
]
