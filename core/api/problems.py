"""Failures as RFC 9457 problem documents: one mapper from error family to status.

A problem names fields, codes and remedies and never repeats what the caller sent.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.http import Http404, HttpRequest, HttpResponse
from django.views import defaults
from rest_framework import exceptions as drf
from rest_framework.response import Response

from core import errors, metrics
from core.api import context
from core.logging import get_logger
from core.outages import is_outage

logger = get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
#: First match wins; every family of `core.errors` is here.
STATUS: tuple[tuple[type[errors.ServiceError], int], ...] = (
    (errors.InvalidInput, 400),
    (errors.NotAuthenticated, 401),
    (errors.NotPermitted, 403),
    (errors.NotFound, 404),
    (errors.Erased, 410),
    (errors.Conflict, 409),
    (errors.Withheld, 409),
    (errors.PreconditionFailed, 412),
    (errors.TooLarge, 413),
    (errors.UnsupportedMediaType, 415),
    (errors.PreconditionRequired, 428),
    (errors.Throttled, 429),
    (errors.Unavailable, 503),
    (errors.IntegrityViolation, 500),
)
_INTERNAL = 500


class MethodNotAllowed(errors.ServiceError):
    """The route exists and does not take this method."""

    code = "method-not-allowed"
    text = "This route does not take this method."


class NotAcceptable(errors.ServiceError):
    """The route cannot answer in a type that the Accept header allows."""

    code = "not-acceptable"
    text = "This route cannot answer in a type that you accept."


class DatabaseUnavailable(errors.Unavailable):
    """PostgreSQL does not answer or has no room, or a lock was not given in time."""

    code = "database-unavailable"
    text = "The database does not answer; nothing was lost. Try again."


class InternalError(errors.ServiceError):
    """A fault of ours; the log has it under the correlation id."""

    code = "internal-error"
    text = "Something went wrong on our side; quote the correlation id."


_BY_STATUS: Mapping[int, type[errors.ServiceError]] = {
    400: errors.InvalidInput,
    401: errors.NotAuthenticated,
    403: errors.NotPermitted,
    404: errors.NotFound,
    405: MethodNotAllowed,
    406: NotAcceptable,
    413: errors.TooLarge,
    415: errors.UnsupportedMediaType,
    429: errors.Throttled,
    503: errors.Unavailable,
}

_FOREIGN: tuple[tuple[type[Exception], type[errors.ServiceError]], ...] = (
    (Http404, errors.NotFound),
    (PermissionDenied, errors.NotPermitted),
    (RequestDataTooBig, errors.TooLarge),
    (SuspiciousOperation, errors.InvalidInput),
    (BadRequest, errors.InvalidInput),
)


def handler(error: Exception, _context: Mapping[str, Any]) -> Response:
    """DRF's EXCEPTION_HANDLER: any failure as a problem, never a bare 500."""
    failure, status, details = describe(error)
    _log(error, failure, status)
    return Response(
        document(failure, status=status, details=details),
        status=status,
        headers=_headers(error, failure, status),
        content_type=MEDIA_TYPE,
    )


def describe(
    error: Exception,
) -> tuple[errors.ServiceError, int, list[dict[str, str]]]:
    """The failure as one of ours, its status, and the fields it concerns."""
    if isinstance(error, errors.ServiceError):
        return error, status_of(error), _field_of(error)
    if isinstance(error, drf.ValidationError):
        return errors.InvalidInput(), 400, list(_fields(error.get_full_details()))
    if isinstance(error, drf.APIException) and error.status_code in _BY_STATUS:
        return _BY_STATUS[error.status_code](), error.status_code, []
    if is_outage(error):
        return DatabaseUnavailable(), status_of(DatabaseUnavailable()), []
    for foreign, family in _FOREIGN:
        if isinstance(error, foreign):
            failure = family()
            return failure, status_of(failure), []
    return InternalError(), _INTERNAL, []


def status_of(error: errors.ServiceError) -> int:
    """The HTTP status of an error's family; 500 for what belongs to none."""
    return next((status for family, status in STATUS if isinstance(error, family)), _INTERNAL)


def document(
    failure: errors.ServiceError, *, status: int, details: list[dict[str, str]]
) -> dict[str, Any]:
    """The problem's members; `correlation_id` is the request id that the log has too."""
    body: dict[str, Any] = {
        "type": f"urn:lethe:problem:{failure.code}",
        "title": failure.text,
        "status": status,
        "detail": failure.detail,
        "code": failure.code,
        "correlation_id": str(context.request_id()),
    }
    if details:
        body["errors"] = details
    more = {key: value for key, value in failure.context.items() if key != "field"}
    if more and status != _INTERNAL:
        body["context"] = more
    return body


def respond(error: Exception) -> HttpResponse:
    """A problem for plain Django views and error handlers."""
    failure, status, details = describe(error)
    _log(error, failure, status)
    body = orjson.dumps(document(failure, status=status, details=details))
    return HttpResponse(
        body, status=status, content_type=MEDIA_TYPE, headers=_headers(error, failure, status)
    )


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404: a problem under /api/, the plain page elsewhere."""
    if _is_api(request):
        return respond(errors.NotFound("There is no such route."))
    return defaults.page_not_found(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403."""
    if _is_api(request):
        return respond(errors.NotPermitted())
    return defaults.permission_denied(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400."""
    if _is_api(request):
        return respond(exception)
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500; Django has logged the exception."""
    if _is_api(request):
        return respond(InternalError())
    return defaults.server_error(request)


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith(("/api/", "/.well-known/", "/o/"))


def _field_of(error: errors.ServiceError) -> list[dict[str, str]]:
    field = error.context.get("field")
    if field is None:
        return []
    return [{"field": str(field), "code": error.code, "message": error.detail}]


def _fields(details: Any, path: str = "") -> Iterator[dict[str, str]]:
    """DRF's nested details, flat; only codes and field names, since its texts quote input."""
    if isinstance(details, dict):
        if set(details) == {"message", "code"} and not isinstance(details["message"], dict | list):
            code = str(details["code"]).replace("_", "-")
            yield {"field": path or "body", "code": code, "message": _message(code)}
            return
        for key, inner in details.items():
            name = "" if key == "non_field_errors" else str(key)
            yield from _fields(inner, f"{path}.{name}".strip("."))
    elif isinstance(details, list):
        for index, inner in enumerate(details):
            is_leaf = isinstance(inner, dict) and set(inner) == {"message", "code"}
            yield from _fields(inner, path if is_leaf else f"{path}[{index}]")


_MESSAGES = {
    "required": "This field is required.",
    "null": "This field may not be null.",
    "blank": "This field may not be blank.",
    "max-length": "This is too long.",
    "min-length": "This is too short.",
    "max-value": "This is too large.",
    "min-value": "This is too small.",
    "invalid-choice": "This is not one of the accepted values.",
    "does-not-exist": "There is nothing of yours with this id.",
    "unique": "This is taken.",
    "empty": "This may not be empty.",
    "not-a-list": "A list is expected.",
}


def _message(code: str) -> str:
    return _MESSAGES.get(code, "This value is not accepted.")


def _headers(error: Exception, failure: errors.ServiceError, status: int) -> dict[str, str]:
    headers: dict[str, str] = {}
    wait = getattr(error, "wait", None) if isinstance(error, drf.Throttled) else None
    seconds = failure.retry_after if wait is None else int(wait) + 1
    if seconds is not None:
        headers["Retry-After"] = str(seconds)
    if status == 401:  # noqa: PLR2004 - RFC 9110: a 401 names the scheme
        headers["WWW-Authenticate"] = 'Bearer realm="lethe"'
    return headers


def _log(error: Exception, failure: errors.ServiceError, status: int) -> None:
    if isinstance(failure, errors.IntegrityViolation):
        metrics.integrity_violated(code=failure.code)
        logger.critical("request.integrity_violation", code=failure.code, exc_info=error)
    elif isinstance(failure, InternalError):
        logger.error("request.internal_error", code=failure.code, exc_info=error)
    elif isinstance(failure, errors.Unavailable):
        logger.warning("request.unavailable", code=failure.code, exc_info=error)
    else:
        logger.info("request.refused", code=failure.code, status=status)
