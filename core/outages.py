"""Which failures of the database are outages: waiting, or another server, mends them."""

from typing import Final

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError
from psycopg.errors import ReadOnlySqlTransaction

#: Django's, and the driver's own: a COPY fails outside any call that Django translates errors of.
_OUTAGES: Final = (
    OperationalError,
    InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    ReadOnlySqlTransaction,  # the server is a standby, or was made one
)


def is_outage(error: Exception) -> bool:
    """No connection, a server that starts, ends or only reads, a full disk, a lock not given."""
    if isinstance(error, _OUTAGES):
        return True
    return isinstance(error, DatabaseError) and isinstance(error.__cause__, ReadOnlySqlTransaction)
