"""URLs of the stream processes: what pipelines read, and nothing that changes or signs in."""

from django.urls import URLPattern, URLResolver, include, path

from core.api.health import healthz, readyz
from core.metrics import metrics
from governance.api.urls import stream_urlpatterns

handler400 = "core.api.problems.bad_request"
handler403 = "core.api.problems.permission_denied"
handler404 = "core.api.problems.page_not_found"
handler500 = "core.api.problems.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("api/v1/", include(stream_urlpatterns)),
]
