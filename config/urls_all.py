"""Every URL in one process: for the tests, the committed OpenAPI document and small set-ups."""

from django.urls import URLPattern, URLResolver, include, path

from config import urls
from config.urls import handler400, handler403, handler404, handler500
from governance.api.urls import stream_urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns: list[URLPattern | URLResolver] = [
    *urls.urlpatterns,
    path("api/v1/", include(stream_urlpatterns)),
]
