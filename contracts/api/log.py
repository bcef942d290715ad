"""The log as C2SP tlog-tiles, open to everybody: it holds noise and the roots over it.

Of a generation that another follows no checkpoint is served: heads of it may have been published
that a restored database does not know.
"""

import base64
from typing import Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import View

from contracts.domain.checkpoint import verifier_key
from contracts.domain.tiles import TileName
from contracts.errors import LogEnded, NotLogged
from contracts.models import LogFounding
from contracts.services import cosignatures, generations, publishing, timestamps, tree_rows
from core import signing_keys
from core.api import problems
from core.errors import ServiceError

#: A tile never changes; a year is what HTTP caches understand as for ever (RFC 9111).
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class Public(View):
    """What needs no caller; errors are problems as everywhere."""

    http_method_names = ("get", "head", "options")

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            answer = super().dispatch(request, *args, **kwargs)
        except ServiceError as error:
            return problems.respond(error)
        assert isinstance(answer, HttpResponse)  # noqa: S101
        return answer


class Index(Public):
    """The generations, their names, and the keys that their checkpoints are signed with."""

    def get(self, _request: HttpRequest) -> HttpResponse:
        keys = [key.public for key in signing_keys.of("loggerd")]
        known = [generations.first(), *map(_generation, LogFounding.objects.order_by("number"))]
        return JsonResponse(
            {
                "generations": [
                    {
                        "number": one.number,
                        "origin": one.origin,
                        "vkeys": [verifier_key(one.origin, public) for public in keys],
                        "size": 0 if one.founding is None else one.founding.size,
                        "follows": None if one.founding is None else one.founding.follows,
                        "is_current": one is known[-1],
                    }
                    for one in known
                ]
            }
        )


class Checkpoint(Public):
    """The newest head of the generation that is published, with the cosignatures there are."""

    def get(self, _request: HttpRequest, generation: int = 0) -> HttpResponse:
        _require(generation, is_current=True)
        note = cosignatures.note_of(publishing.latest(number=generation))
        answer = HttpResponse(note.encode(), content_type="text/plain; charset=utf-8")
        answer["Cache-Control"] = "no-cache"
        return answer


class Timestamp(Public):
    """The newest head of the generation that is stamped, as its log signed it, and the token."""

    def get(self, _request: HttpRequest, generation: int = 0) -> HttpResponse:
        _require(generation, is_current=True)
        row = timestamps.newest(number=generation)
        answer = JsonResponse(
            {
                "checkpoint": row.checkpoint.note,
                "token": base64.b64encode(bytes(row.token)).decode(),
                "stamped_at": row.stamped_at.isoformat().replace("+00:00", "Z"),
            }
        )
        answer["Cache-Control"] = "no-cache"
        return answer


class Tile(Public):
    """Hashes of the tree: `tile/<level>/<index>[.p/<width>]`."""

    def get(self, _request: HttpRequest, tile: str, generation: int = 0) -> HttpResponse:
        _require(generation)
        named = TileName.parse(tile)
        if named is None or not named.is_in(publishing.latest().batch.size):
            raise NotLogged
        hashes = tree_rows.hashes_in(named.level, named.index, named.width)
        answer = HttpResponse(b"".join(hashes), content_type="application/octet-stream")
        answer["Cache-Control"] = _FOR_EVER
        return answer


def _generation(row: LogFounding) -> generations.Generation:
    return generations.Generation(row.number, row.origin, row)


def _require(number: int, *, is_current: bool = False) -> None:
    """Raise NotLogged for a generation that never was, LogEnded where one follows it."""
    if generations.find(number) is None:
        raise NotLogged
    if is_current and number != generations.current().number:
        raise LogEnded
