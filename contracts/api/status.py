"""Status lists, open to everybody: who holds a place looks it up, and asks about nobody."""

import re
from typing import Final

from django.http import HttpRequest, HttpResponse

from contracts.api.log import Public
from contracts.errors import StatusListUnknown
from contracts.models import StatusVersion
from contracts.services import status_lists

_ID: Final = re.compile(r"[0-9a-f]{64}")


class Newest(Public):
    """The newest version of a list, as a signed credential."""

    def get(self, request: HttpRequest, list_id: str) -> HttpResponse:
        return _answer(request, status_lists.newest(_parsed(list_id)), "public, max-age=60")


class Version(Public):
    """One version of a list, as long as it is kept."""

    def get(self, request: HttpRequest, list_id: str, version: int) -> HttpResponse:
        found = status_lists.version(_parsed(list_id), version)
        return _answer(request, found, "public, max-age=86400, immutable")


def _parsed(list_id: str) -> bytes:
    if _ID.fullmatch(list_id) is None:
        raise StatusListUnknown
    return bytes.fromhex(list_id)


def _answer(request: HttpRequest, found: StatusVersion, caching: str) -> HttpResponse:
    etag = f'"{bytes(found.digest).hex()}"'
    if request.headers.get("If-None-Match") == etag:
        answer = HttpResponse(status=304)
    else:
        answer = HttpResponse(found.document.encode(), content_type="application/vc+jwt")
    answer["ETag"] = etag
    answer["Cache-Control"] = caching
    return answer
