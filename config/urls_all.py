"""Every URL in one process: for the tests, the committed OpenAPI document and small set-ups."""

from django.urls import URLPattern, URLResolver, include, path

from config import urls
from governance.api.urls import stream_urlpatterns

urlpatterns: list[URLPattern | URLResolver] = [
    *urls.urlpatterns,
    path("api/v1/", include(stream_urlpatterns)),
]
