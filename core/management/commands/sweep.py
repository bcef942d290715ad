"""Run the due effects of one queue without Celery, once or until stopped."""

import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from core import clock, effects, tasks
from core.logging import get_logger
from core.unit_of_work import forget_broken_connection

logger = get_logger(__name__)


class Command(BaseCommand):
    help = "Run the due effects of a queue: for operators, cron, and installations without Celery."

    def add_arguments(self, parser: ArgumentParser) -> None:
        queues = sorted({queue for _, queue in settings.LETHE_EFFECTS.values()})
        parser.add_argument("queue", choices=queues)
        parser.add_argument("--forever", action="store_true", help="go on until stopped")

    def handle(self, *, queue: str, forever: bool, **_: Any) -> None:
        """Sweep once, or every LETHE_SWEEP_EVERY seconds; each time after the queue's tenders."""
        if not forever:
            tasks.tend(queue)
            self._sweep(queue)
            return
        while True:
            _outlast(tasks.tend, queue)
            _outlast(self._sweep, queue)
            time.sleep(settings.LETHE_SWEEP_EVERY)

    def _sweep(self, queue: str) -> None:
        ran = effects.sweep(queue=queue, now=clock.now())
        self.stdout.write(f"{ran} effects of queue {queue} were run.")


def _outlast(act: Callable[[str], None], queue: str) -> None:
    """An outage ends the round and not the process: nobody may have to start it again."""
    forget_broken_connection()
    try:
        act(queue)
    except Exception:
        logger.exception("sweep.failed", kind=queue)
