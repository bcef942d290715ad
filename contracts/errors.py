"""What the log refuses, with stable codes."""

from core.errors import IntegrityViolation, NotFound


class NotLogged(NotFound):
    """No batch that is published has this leaf."""

    code = "not-logged"
    text = "The log has no such entry, or has not published it yet."


class LogBroken(IntegrityViolation):
    """Rows of the log do not make the tree that was published."""

    code = "log-broken"
