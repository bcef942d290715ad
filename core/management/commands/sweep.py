"""Run the due effects of one queue without Celery, once or until stopped."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from core import clock, effects, tasks


class Command(BaseCommand):
    help = "Run the due effects of a queue: for operators, cron, and installations without Celery."

    def add_arguments(self, parser: ArgumentParser) -> None:
        queues = sorted({queue for _, queue in settings.LETHE_EFFECTS.values()})
        parser.add_argument("queue", choices=queues)
        parser.add_argument("--forever", action="store_true", help="go on until stopped")

    def handle(self, *, queue: str, forever: bool, **_: Any) -> None:
        """Sweep once, or every LETHE_SWEEP_EVERY seconds; each time after the queue's tenders."""
        while True:
            tasks.tend(queue)
            ran = effects.sweep(queue=queue, now=clock.now())
            self.stdout.write(f"{ran} effects of queue {queue} were run.")
            if not forever:
                return
            time.sleep(settings.LETHE_SWEEP_EVERY)
