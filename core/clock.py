"""The one place that reads the time. Services take `now`; only edges call this."""

from datetime import UTC, datetime, timedelta

from django.conf import settings


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


def _ahead() -> timedelta:
    # Late import: a model cannot be imported before the apps are loaded, and this module can.
    from core.models import ClockOffset

    return ClockOffset.objects.values_list("ahead", flat=True).first() or timedelta(0)
