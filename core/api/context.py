"""The id of the request at hand, for logs, audit and problem documents."""

from contextvars import ContextVar
from uuid import UUID

_request_id: ContextVar[UUID | None] = ContextVar("request_id", default=None)


def request_id() -> UUID | None:
    """The id of the request that this thread answers; None outside one."""
    return _request_id.get()


def set_request_id(value: UUID | None) -> None:
    """Set by the middleware at the start and the end of a request."""
    _request_id.set(value)
