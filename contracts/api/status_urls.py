"""Paths below `/status/`."""

from django.urls import URLPattern, path

from contracts.api import status

urlpatterns: list[URLPattern] = [
    path("<str:list_id>", status.Newest.as_view()),
    path("<str:list_id>/<int:version>", status.Version.as_view()),
]
