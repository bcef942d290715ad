"""Error families. Every anticipated failure of the product derives from `ServiceError`.

No HTTP here: `core.api.problems` maps a family to a status once. Leaves live beside the code
that raises them. Texts are safe to show: they name fields and remedies, never values.
"""

from collections.abc import Mapping
from typing import ClassVar


class ServiceError(Exception):
    """An anticipated failure with a stable machine code.

    `code` is kebab-case and part of the public API; `context` holds only what may be shown to
    the caller and written to logs: names of fields, opaque ids, counts.
    """

    code: ClassVar[str] = "service-error"
    text: ClassVar[str] = "The request could not be carried out."
    retryable: ClassVar[bool] = False
    #: Seconds a caller should wait before it tries again; sent as Retry-After when set.
    retry_after: ClassVar[int | None] = None

    def __init__(self, text: str | None = None, **context: str | int | None) -> None:
        self.detail = text or self.text
        self.context: Mapping[str, str | int | None] = context
        super().__init__(f"{self.code}: {self.detail}")


class InvalidInput(ServiceError):
    """The input cannot be accepted as it stands; nothing was changed."""

    code = "invalid-input"
    text = "The input is not valid."


class NotAuthenticated(ServiceError):
    """No valid credential came with the request."""

    code = "not-authenticated"
    text = "A valid access token or session is needed."


class NotPermitted(ServiceError):
    """The actor is known and may not do this."""

    code = "not-permitted"
    text = "You are not permitted to do this."


class NotFound(ServiceError):
    """It does not exist, or it is not yours: both answer alike."""

    code = "not-found"
    text = "There is nothing of yours with this id."


class Erased(ServiceError):
    """It was erased for good: the product working, never confused with absence."""

    code = "erased"
    text = "The data subject was erased; the keys were destroyed."


class Conflict(ServiceError):
    """The state of the thing does not allow this now."""

    code = "conflict"
    text = "The current state does not allow this."


class PreconditionRequired(ServiceError):
    """The act needs an If-Match header."""

    code = "precondition-required"
    text = "Send If-Match with the ETag you last read."


class PreconditionFailed(ServiceError):
    """The thing has changed since the caller read it."""

    code = "precondition-failed"
    text = "It has changed since you read it; read it again."


class Withheld(ServiceError):
    """Lawfully refused for now, with ground and review date where they exist."""

    code = "withheld"
    text = "This is withheld."


class TooLarge(ServiceError):
    """The body or a part of it is over a limit."""

    code = "too-large"
    text = "The body is too large."


class UnsupportedMediaType(ServiceError):
    """The body is of a type this route does not read."""

    code = "unsupported-media-type"
    text = "Send the content type that this route documents."


class Throttled(ServiceError):
    """Too many requests."""

    code = "throttled"
    text = "Too many requests; wait and try again."
    retryable = True
    retry_after = 5


class Unavailable(ServiceError):
    """Something we depend on does not answer; nothing was lost."""

    code = "unavailable"
    text = "A part of the service does not answer; nothing was lost. Try again."
    retryable = True
    retry_after = 5


class IntegrityViolation(ServiceError):
    """What must not be is: someone is paged. Texts never say which check failed."""

    code = "integrity-violation"
    text = "A stored item does not match its binding."
