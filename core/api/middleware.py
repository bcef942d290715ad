import time
from collections.abc import Callable
from uuid import UUID

import structlog
from django.http import HttpRequest, HttpResponseBase

from core import metrics
from core.api import context
from core.api.caller import Caller
from core.ids import new_random
from core.logging import get_logger

logger = get_logger(__name__)


class RequestContext:
    """Gives each request an id, logs and counts it by its route, and forbids storing answers.

    An `X-Request-ID` of the caller is taken over when it is a UUID and ignored otherwise, so
    that nothing a caller makes up gets into the log.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.monotonic()
        request_id = _given_id(request) or new_random()
        context.set_request_id(request_id)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            response = self.get_response(request)
            _finish(request, response, request_id)
            _report(request, response, time.monotonic() - started)
        finally:
            context.set_request_id(None)
            structlog.contextvars.clear_contextvars()
        return response


def route_of(request: HttpRequest) -> str:
    """The URL pattern that matched, never the path itself."""
    match = request.resolver_match
    return match.route if match is not None else "(none)"


def _given_id(request: HttpRequest) -> UUID | None:
    try:
        return UUID(request.headers.get("X-Request-ID", ""))
    except ValueError:
        return None


def _finish(request: HttpRequest, response: HttpResponseBase, request_id: UUID) -> None:
    response.headers["X-Request-ID"] = str(request_id)
    if request.path.startswith("/api/"):
        response.headers["Cache-Control"] = "no-store"
    if response.headers.get("Server"):
        del response.headers["Server"]


def _report(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    route, method = route_of(request), request.method or ""
    if method not in _METHODS:
        method = "OTHER"  # any token is a legal method, and a label must not grow without bound
    caller = getattr(request, "user", None)
    known = (
        {"actor_id": caller.actor.id, "controller_id": caller.controller_id}
        if isinstance(caller, Caller)
        else {}
    )
    metrics.request_finished(
        method=method, route=route, status=response.status_code, seconds=seconds
    )
    logger.info(
        "request.finished",
        method=method,
        route=route,
        status=response.status_code,
        duration_ms=round(seconds * 1000),
        **known,
    )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
