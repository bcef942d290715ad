"""One page's SELECT that runs while the page before it is opened and sent.

It has a connection of its own and no thread: PostgreSQL works on it while this process does
something else. Whatever goes wrong here is no error; the page is then selected as any other.
"""

import select
import time
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db import DatabaseError, connection
from psycopg import Connection, OperationalError, pq

from vault.services.page_rows import STATEMENT, Packed, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME: Final = b"page"
_BINARY: Final = pq.Format.BINARY
#: How long a page that was asked for may take to arrive, in seconds.
_PATIENCE: Final = 2.0


class ReadAhead:
    """At most one page on its way; `began` is when it was asked for, on the monotonic clock."""

    def __init__(self) -> None:
        self._driver: Connection[Any] | None = None
        self._wanted: Wanted | None = None
        self.began = 0.0

    def begin(self, wanted: Wanted) -> None:
        """Ask for the page."""
        try:
            connected = self._connected()
            self.began = time.monotonic()
            connected.send_query_prepared(_NAME, _texts(wanted), result_format=_BINARY)
            connected.flush()
            self._wanted = wanted
        except (DatabaseError, OperationalError):
            self.close()

    def take(self, wanted: Wanted, *, since: float) -> Packed | None:
        """The page's row, if it was asked for with the same words and not before `since`."""
        asked, self._wanted = self._wanted, None
        if asked is None or self._driver is None:
            return None
        try:
            result = _received(self._driver.pgconn)
        except OperationalError:
            result = None
        if result is None or result.status != pq.ExecStatus.TUPLES_OK:
            self.close()
            return None
        if asked != wanted or self.began < since:
            return None
        is_open, groups, heads, bodies = (result.get_value(0, column) for column in range(4))
        return is_open == b"\x01", groups, heads, bodies

    def close(self) -> None:
        """Drop the page and the connection."""
        driver, self._driver, self._wanted = self._driver, None, None
        if driver is not None:
            driver.close()

    def _connected(self) -> pq.abc.PGconn:
        if self._driver is None:
            own = connection.copy()
            own.connect()
            self._driver = own.connection
            prepared = own.connection.pgconn.prepare(_NAME, STATEMENT.encode())
            if prepared.status != pq.ExecStatus.COMMAND_OK:
                raise OperationalError
        return self._driver.pgconn


def _received(connected: pq.abc.PGconn) -> pq.abc.PGresult | None:
    """The one result of what was sent; None when it does not come in time."""
    _wait_until(connected, lambda: not connected.is_busy())
    result = connected.get_result()
    _wait_until(connected, lambda: not connected.is_busy())
    if connected.get_result() is not None:
        return None
    return result


def _wait_until(connected: pq.abc.PGconn, is_there: "Callable[[], bool]") -> None:
    until = time.monotonic() + _PATIENCE
    while not is_there():
        left = until - time.monotonic()
        if left <= 0 or not select.select([connected.socket], [], [], left)[0]:
            raise OperationalError
        connected.consume_input()


def _texts(wanted: Wanted) -> list[bytes]:
    """The parameters as PostgreSQL reads them from text."""
    return [_text(value) for value in wanted.parameters()]


def _text(value: UUID | int | list[UUID]) -> bytes:
    if isinstance(value, list):
        return b"{%b}" % ",".join(map(str, value)).encode()
    return str(value).encode()
