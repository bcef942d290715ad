"""Others are asked about published heads beside sealing: whoever does not answer delays nothing."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from secrets import SystemRandom
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection

from contracts.errors import AskingFailed
from contracts.services import status_publishing, timestamps, witnesses
from core import clock
from core.errors import ServiceError
from core.logging import get_logger
from core.unit_of_work import forget_broken_connection

logger = get_logger(__name__)
_RANDOM: Final = SystemRandom()
#: What failed is tried again after this part of the time between two rounds.
_SOONER: Final = 0.1


class AskingThread(threading.Thread):
    """Calls `ask` about every `every` until `stopped` is set."""

    def __init__(
        self,
        name: str,
        ask: Callable[[datetime], object],
        *,
        every: timedelta,
        stopped: threading.Event,
    ) -> None:
        """A daemon: an answer that is waited for does not keep the process from ending."""
        super().__init__(name=name, daemon=True)
        self._ask, self._every, self._stopped = ask, every, stopped

    def run(self) -> None:
        """Each error is told, and made good by a later round."""
        pause = self._every * _SOONER
        try:
            while not self._stopped.wait(pause.total_seconds() * _RANDOM.uniform(0.5, 1.5)):
                pause = self._every if self.round(now=clock.now()) else self._every * _SOONER
        finally:
            connection.close()

    def round(self, *, now: datetime) -> bool:
        """One round; False where it failed."""
        try:
            self._ask(now)
        except AskingFailed as error:
            reason = error.context.get("reason")
            logger.warning("log.asking_failed", code=error.code, reason=reason)
        except ServiceError as error:
            logger.warning("log.asking_failed", code=error.code)
        except DatabaseError as error:
            logger.warning("log.asking_failed", kind=type(error).__name__)
        except Exception:
            logger.exception("log.asking_failed", reason="unforeseen")
        else:
            return True
        finally:
            forget_broken_connection()
        return False


def start_all(stopped: threading.Event) -> list[AskingThread]:
    """A thread for the timestamp authority and one for the witnesses, as far as configured."""
    threads = []
    if timestamps.is_configured():
        every = timedelta(seconds=settings.LETHE_TSA_EVERY)
        threads.append(AskingThread("timestamps", _stamp, every=every, stopped=stopped))
    if witnesses.is_configured():
        every = timedelta(seconds=settings.LETHE_WITNESS_EVERY)
        threads.append(AskingThread("witnesses", _cosign, every=every, stopped=stopped))
    for thread in threads:
        thread.start()
    return threads


def start_status_lists(stopped: threading.Event) -> AskingThread:
    """A thread that publishes the next versions of status lists."""
    every = timedelta(seconds=settings.LETHE_STATUS_EVERY)
    thread = AskingThread("status-lists", _publish, every=every, stopped=stopped)
    thread.start()
    return thread


def _stamp(now: datetime) -> None:
    timestamps.stamp(now=now)


def _publish(now: datetime) -> None:
    status_publishing.publish(now=now)


def _cosign(now: datetime) -> None:
    witnesses.ask(now=now)
