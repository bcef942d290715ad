"""Erasures driven from their fences to SWEPT, many at a time, by the eraser's process.

They go in groups of `LETHE_ERASER_BATCH`. While the key store destroys one group's keys, which a
thread waits for, the database writes down what came of the group before and prepares the next.
The thread never touches the database. Every step may be repeated: what breaks off is taken up
again from the states of the rows.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final, TypeAlias
from uuid import UUID

from django.conf import settings

from core import failpoints
from core.unit_of_work import no_open_transaction
from vault.ports import DestructionReading
from vault.services import destroying, shredding, sweeping

#: Groups of one run.
GROUPS: Final = 5
#: After this part of an effect's lease no further group is begun.
_PART: Final = 4
_Clock: TypeAlias = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class _Group:
    """Erasures whose keys are being destroyed."""

    erasure_ids: Sequence[UUID]
    announced: destroying.Announced
    answer: "Future[list[DestructionReading]] | None"

    def readings(self) -> list[DestructionReading]:
        return destroying.act(self.announced) if self.answer is None else self.answer.result()


@no_open_transaction
def run(*, erasure_ids: Sequence[UUID], clock: _Clock) -> set[UUID]:
    """Take the erasures to SWEPT; returns those of which a key survived: stop, page.

    What a lock forbids, and what there is no time left for, stays where it is. Raises as
    `destroying.destroy`; then all may be run again.
    """
    size = settings.LETHE_ERASER_BATCH
    groups = [erasure_ids[at : at + size] for at in range(0, len(erasure_ids), size)]
    stop_at = clock() + settings.LETHE_EFFECT_LEASE / _PART
    survived: set[UUID] = set()
    begun: list[_Group] = []
    try:
        for group in groups:
            if begun and clock() > stop_at:
                break
            begun.append(_begin(group, clock, is_alone=len(groups) == 1))
            if len(begun) > 1:
                survived |= _end(begun[-2], clock)
        if begun:
            survived |= _end(begun[-1], clock)
    finally:  # where something broke off, nothing goes on behind the back of who runs it again
        wait([group.answer for group in begun if group.answer is not None])
    return survived


def _begin(erasure_ids: Sequence[UUID], clock: _Clock, *, is_alone: bool) -> _Group:
    shredding.drain(erasure_ids=erasure_ids, now=clock())
    failpoints.reach("vault.shred.after-drain")
    shredding.order(erasure_ids=erasure_ids, now=clock())
    failpoints.reach("vault.shred.after-order")
    announced = destroying.announce(erasure_ids=erasure_ids, now=clock())
    answer = None if is_alone else _thread().submit(destroying.act, announced)
    return _Group(erasure_ids, announced, answer)


def _end(group: _Group, clock: _Clock) -> set[UUID]:
    survived = destroying.settle(group.announced, group.readings(), now=clock())
    failpoints.reach("vault.shred.after-destroy")
    sweeping.sweep(erasure_ids=group.erasure_ids, now=clock())
    failpoints.reach("vault.shred.after-sweep")
    return survived


@cache
def _thread() -> ThreadPoolExecutor:
    """One, kept, as connections to the key store are kept for each thread."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="eraser")


os.register_at_fork(after_in_child=_thread.cache_clear)
