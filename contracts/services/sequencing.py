"""One round of the log's process: seal, keep the head, publish. One process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from secrets import SystemRandom
from typing import Final

from django.conf import settings
from django.db import connection

from contracts.models import LogBatch
from contracts.services import keeping, publishing, sealing
from core.unit_of_work import no_open_transaction

_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended('lethe:loggerd', 11))"
_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended('lethe:loggerd', 11))"
_RANDOM: Final = SystemRandom()


@no_open_transaction
def run_round(*, now: datetime) -> LogBatch | None:
    """Seal and publish one batch; None while another process is at it.

    A round that broke off is made good by the next. Raises HistoryBroken (nothing sealed),
    LogBroken, Unavailable, SigningKeyChanged.
    """
    with _alone() as is_ours:
        if not is_ours:
            return None
        kept = keeping.require_own()
        batch = sealing.seal(now=now)
        keeping.keep(known=kept)
        publishing.publish(now=now)
        return batch


def pause() -> timedelta:
    """How long to wait for the next round: LETHE_LOG_EVERY, half as much more or less at random.

    So that nothing can be read from when a batch appears.
    """
    return timedelta(seconds=settings.LETHE_LOG_EVERY * _RANDOM.uniform(0.5, 1.5))


@contextmanager
def _alone() -> Iterator[bool]:
    """Hold the session's lock; a process that dies gives it up with its connection."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK)
        (is_ours,) = cursor.fetchone()
    try:
        yield bool(is_ours)
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute(_UNLOCK)
