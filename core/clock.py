"""The one place that reads the time. Services take `now`; only edges call this."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import ProgrammingError

from core.logging import get_logger

logger = get_logger(__name__)

#: A difference between two readings that is no jump: the clock is slewed.
_NO_JUMP: Final = timedelta(seconds=1)

#: How long a process goes on with the offset it read; other processes see a move this late.
OFFSET_SECONDS = 0.2


class _Offset:
    """How far ahead the row says that we are, and until when that is believed."""

    ahead = timedelta(0)
    good_until = 0.0


_offset = _Offset()


def now() -> datetime:
    """The present instant, aware, UTC; moved by the ClockOffset row in development only."""
    instant = _steady.now(settle=settings.LETHE_CLOCK_SETTLE)
    if settings.LETHE_DEVELOPMENT:
        return instant + _ahead()
    return instant


class SteadyClock:
    """The machine's time; a jump ahead is followed only once it has lasted for `settle`.

    What is outwaited before a key is destroyed is measured in time of day, since processes share
    it. For the process that waits, a jump ahead would end the wait at once, while pages and cached
    keys of before are still about; so it goes on from where it was until the wait has truly
    passed. A step back is followed at once: it makes waits longer.
    """

    def __init__(self, wall: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._followed, self._at = wall(), monotonic()
        #: How far the time of day has jumped ahead of what is followed, and since when.
        self._ahead, self._since = timedelta(0), 0.0

    def now(self, *, settle: timedelta) -> datetime:
        """The present instant. Threads may spoil each other's reading, and the next mends it."""
        instant, ticks = self._wall(), self._monotonic()
        steady = self._followed + timedelta(seconds=ticks - self._at)
        ahead = instant - steady
        if ahead > _NO_JUMP and ahead - self._ahead > _NO_JUMP:  # not the jump known already
            logger.critical(
                "clock.jumped_ahead", count=round((ahead - self._ahead).total_seconds())
            )
            self._ahead, self._since = ahead, ticks
        if ahead > _NO_JUMP and ticks - self._since < settle.total_seconds():
            return steady
        self._followed, self._at, self._ahead = instant, ticks, timedelta(0)
        return instant


def wall() -> datetime:
    """The machine's own time, never moved: for what must not depend on the database."""
    return datetime.now(UTC)  # noqa: TID251 - this is the clock


def move(*, ahead: timedelta) -> None:
    """Set how far the clock of all processes is ahead. Raises RuntimeError in production."""
    from core.models import ClockOffset

    if not settings.LETHE_DEVELOPMENT:
        message = "Time can be moved with LETHE_DEVELOPMENT=1 only."
        raise RuntimeError(message)
    ClockOffset.objects.update_or_create(id=1, defaults={"ahead": ahead})
    forget()


def forget() -> None:
    """Read the offset anew at the next call; for tests, whose rows are rolled back."""
    _offset.good_until = 0.0


_steady = SteadyClock(wall, time.monotonic)


def _ahead() -> timedelta:
    if time.monotonic() >= _offset.good_until:
        _offset.ahead = _stored()
        _offset.good_until = time.monotonic() + OFFSET_SECONDS
    return _offset.ahead


def _stored() -> timedelta:
    # Late import: a model cannot be imported before the apps are loaded, and this module can.
    from core.models import ClockOffset

    try:
        return ClockOffset.objects.values_list("ahead", flat=True).first() or timedelta(0)
    except ProgrammingError:  # before the first migration there is no such table
        return timedelta(0)
