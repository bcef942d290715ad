"""Which failures of the database are outages: waiting, or another server, mends them."""

from typing import Final

from django.db import DatabaseError, InterfaceError, OperationalError

#: read_only_sql_transaction: the server is a standby, or was made one.
_READ_ONLY: Final = "25006"


def is_outage(error: Exception) -> bool:
    """No connection, a server that starts, ends or only reads, a full disk, a lock not given."""
    if isinstance(error, OperationalError | InterfaceError):
        return True
    cause = error.__cause__
    return isinstance(error, DatabaseError) and getattr(cause, "sqlstate", None) == _READ_ONLY
