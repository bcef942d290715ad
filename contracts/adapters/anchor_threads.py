"""Anchoring beside sealing: a thread for each chain, so that one that hangs delays nothing else."""

import threading
from datetime import datetime, timedelta
from secrets import SystemRandom
from typing import Final

from django.db import DatabaseError, connection

from contracts.adapters import chains
from contracts.domain.chain_rules import ChainRules
from contracts.errors import ChainContradicts, ChainHalted
from contracts.models import ChainAnchor
from contracts.services import anchoring
from core import clock, metrics
from core.errors import ServiceError
from core.logging import get_logger
from core.unit_of_work import forget_broken_connection

logger = get_logger(__name__)
_RANDOM: Final = SystemRandom()


class AnchorThread(threading.Thread):
    """Rounds on one chain until `stopped` is set; new anchors by the timer, whatever happened."""

    def __init__(self, rules: ChainRules, stopped: threading.Event) -> None:
        """A daemon: a node that never answers does not keep the process from ending."""
        super().__init__(name=f"anchors-{rules.name}", daemon=True)
        self._rules, self._stopped = rules, stopped
        self._next: dict[bool, datetime] = {}

    def run(self) -> None:
        """Each error is told, and made good by a later round; none ends the thread."""
        try:
            while not self._stopped.wait(self._rules.poll.total_seconds()):
                self.round(now=clock.now())
        finally:
            connection.close()

    def round(self, *, now: datetime) -> None:
        """One round; new anchors when their time has come, or had come while none could be made."""
        name = self._rules.name
        try:
            due = {is_log: self._is_due(is_log=is_log, now=now) for is_log in (True, False)}
            anchoring.run_round(name, now=now, with_log=due[True], with_heads=due[False])
            for is_log in (one for one, is_due in due.items() if is_due):
                self._next[is_log] = _after(now, self._every(is_log=is_log))
        except ChainContradicts as error:
            metrics.integrity_violated(code=error.code)
            logger.critical(
                "chain.contradicts", chain=name, code=error.code, reason=error.context.get("reason")
            )
        except ChainHalted as error:
            logger.warning("chain.halted", chain=name, reason=error.context.get("reason"))
        except ServiceError as error:
            logger.warning("chain.round_failed", chain=name, code=error.code)
        except DatabaseError as error:
            logger.warning("chain.round_failed", chain=name, kind=type(error).__name__)
        except Exception as error:
            metrics.integrity_violated(code="chain-round-broke")
            logger.exception("chain.round_broke", chain=name, kind=type(error).__name__)
        finally:
            forget_broken_connection()

    def _is_due(self, *, is_log: bool, now: datetime) -> bool:
        """By a jittered timer from the last that was chosen, so that nothing else can be read."""
        if is_log not in self._next:
            rows = ChainAnchor.objects.filter(chain=self._rules.name, batch__isnull=not is_log)
            last = rows.order_by("-chosen_at").first()
            since = now if last is None else last.chosen_at
            self._next[is_log] = _after(since, self._every(is_log=is_log))
        return now >= self._next[is_log]

    def _every(self, *, is_log: bool) -> timedelta:
        return self._rules.every if is_log else self._rules.heads_every


def start_all(stopped: threading.Event) -> list[AnchorThread]:
    """A thread for each configured chain. Raises ImproperlyConfigured before any has begun."""
    rules = chains.rules()
    if rules:
        chains.require_usable()
    threads = [AnchorThread(one, stopped) for one in rules.values()]
    for thread in threads:
        thread.start()
    return threads


def _after(time: datetime, every: timedelta) -> datetime:
    return time + every * _RANDOM.uniform(0.5, 1.5)
