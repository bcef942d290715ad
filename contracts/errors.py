"""What the log refuses, with stable codes."""

from core.errors import Conflict, Erased, IntegrityViolation, NotFound


class NotLogged(NotFound):
    """No batch that is published has this leaf."""

    code = "not-logged"
    text = "The log has no such entry, or has not published it yet."


class LogBroken(IntegrityViolation):
    """Rows of the log do not make the tree that was published."""

    code = "log-broken"


class HistoryBroken(Conflict):
    """The database's log is not the one whose head was kept; nothing is signed."""

    code = "log-history-broken"


class NothingToFound(Conflict):
    """Database and kept head agree, or what was asked for does not mend how they differ."""

    code = "nothing-to-found"


class LogEnded(Erased):
    """Another generation has followed this one; see /log/."""

    code = "log-ended"
    text = "This log ended when its database was put back; /log/ names the one that follows."
