"""Paths below `/log/`; those of a later generation begin with its number."""

from django.urls import URLPattern, path

from contracts.api import log

urlpatterns: list[URLPattern] = [
    path("", log.Index.as_view()),
    path("checkpoint", log.Checkpoint.as_view()),
    path("timestamp", log.Timestamp.as_view()),
    path("tile/<path:tile>", log.Tile.as_view()),
    path("<int:generation>/checkpoint", log.Checkpoint.as_view()),
    path("<int:generation>/timestamp", log.Timestamp.as_view()),
    path("<int:generation>/tile/<path:tile>", log.Tile.as_view()),
]
