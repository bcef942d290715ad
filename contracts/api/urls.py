"""Paths below `/log/`; those of a later generation begin with its number."""

from django.urls import URLPattern, path

from contracts.api import log

urlpatterns: list[URLPattern] = [
    path("", log.Index.as_view()),
    path("checkpoint", log.Checkpoint.as_view()),
    path("tile/<path:name>", log.Tile.as_view()),
    path("<int:number>/checkpoint", log.Checkpoint.as_view()),
    path("<int:number>/tile/<path:name>", log.Tile.as_view()),
]
