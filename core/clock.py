"""The one place that reads the time. Services take `now`; only edges call this."""

import time
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import ProgrammingError

#: How long a process goes on with the offset it read; other processes see a move this late.
OFFSET_SECONDS = 0.2
_read: tuple[float, timedelta] = (0.0, timedelta(0))


def now() -> datetime:
    """The present instant, aware, UTC; moved by the ClockOffset row in development only."""
    instant = wall()
    if settings.LETHE_DEVELOPMENT:
        return instant + _ahead()
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
    global _read  # noqa: PLW0603 - one clock per process
    _read = (0.0, timedelta(0))


def _ahead() -> timedelta:
    global _read  # noqa: PLW0603 - one clock per process
    if time.monotonic() >= _read[0]:
        _read = (time.monotonic() + OFFSET_SECONDS, _stored())
    return _read[1]


def _stored() -> timedelta:
    # Late import: a model cannot be imported before the apps are loaded, and this module can.
    from core.models import ClockOffset

    try:
        return ClockOffset.objects.values_list("ahead", flat=True).first() or timedelta(0)
    except ProgrammingError:  # before the first migration there is no such table
        return timedelta(0)
