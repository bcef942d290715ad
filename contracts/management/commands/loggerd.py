"""The log's process: a batch every LETHE_LOG_EVERY seconds, more or less, until it is stopped.

Beside it a thread for each chain of LETHE_CHAINS anchors what was published, others ask for
timestamps and cosignatures over it, and one publishes status lists.
"""

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from contracts.adapters import anchor_threads, asking_threads
from contracts.errors import HistoryBroken, LogBroken
from contracts.services import sequencing
from core import clock, metrics
from core.errors import ServiceError
from core.logging import get_logger
from core.unit_of_work import forget_broken_connection

logger = get_logger(__name__)


class Command(BaseCommand):
    help = "Seal, sign and publish the log (LETHE_PROCESS=loggerd). Never more than one is at work."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="one round, now; then end")

    def handle(self, *, once: bool, **_: Any) -> None:
        """Exit status 1 when the round of --once failed; SIGTERM ends the process between two."""
        if settings.LETHE_PROCESS != "loggerd":
            raise CommandError("Run this as the log's process: set LETHE_PROCESS=loggerd.")
        if once:
            self._once()
            return
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        anchor_threads.start_all(stopped)
        asking_threads.start_all(stopped)
        asking_threads.start_status_lists(stopped)
        while not stopped.wait(sequencing.pause().total_seconds()):
            self._round()

    def _once(self) -> None:
        try:
            batch = sequencing.run_round(now=clock.now())
        except ServiceError as error:
            message = f"{error.detail} ({error.code})"
            raise CommandError(message) from None
        if batch is None:
            raise CommandError("Another process is at work on the log.")
        self.stdout.write(f"Batch {batch.sequence}: {batch.size} entries.")

    def _round(self) -> None:
        """A round that fails is told, and made good by the next."""
        try:
            sequencing.run_round(now=clock.now())
        except (HistoryBroken, LogBroken) as error:
            metrics.integrity_violated(code=error.code)
            logger.critical("log.stopped", code=error.code, reason=error.context.get("reason"))
        except ServiceError as error:
            logger.warning("log.round_failed", code=error.code)
        except DatabaseError as error:
            logger.warning(
                "log.round_failed", code="database-unavailable", kind=type(error).__name__
            )
        finally:
            forget_broken_connection()
