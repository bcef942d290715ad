"""Celery tasks. Arguments are ids and queue names only; the effects table is the truth."""

import time
from typing import Final
from uuid import UUID
from weakref import WeakKeyDictionary

from celery import Celery, shared_task
from celery.app import app_or_default
from django.conf import settings
from django.utils.module_loading import import_string

from core.logging import get_logger

logger = get_logger(__name__)

#: Seconds without a further try after a broker did not answer.
_SILENCE: Final = 30.0
_silent_until: WeakKeyDictionary[Celery, float] = WeakKeyDictionary()


@shared_task(name="core.dispatch", ignore_result=True, acks_late=True)
def dispatch(effect_id: str, **_unknown: object) -> None:
    """Run one effect; arguments of a newer version are tolerated."""
    from core import clock, effects

    try:
        effects.run(effect_id=UUID(effect_id), now=clock.now())
    except effects.EffectNotFound:
        logger.warning("effect.unknown", effect_id=effect_id)


@shared_task(name="core.sweep_queue", ignore_result=True, acks_late=True)
def sweep_queue(queue: str, **_unknown: object) -> None:
    """Run every due effect of `queue`."""
    from core import clock, effects

    effects.sweep(queue=queue, now=clock.now())


@shared_task(name="core.tend", ignore_result=True, acks_late=True)
def tend(queue: str, **_unknown: object) -> None:
    """Call what LETHE_TENDERS names for `queue`; the next round comes in any case."""
    from core import clock

    for path in settings.LETHE_TENDERS.get(queue, ()):
        import_string(path)(now=clock.now())


@shared_task(name="core.purge", ignore_result=True, acks_late=True)
def purge(**_unknown: object) -> None:
    """Delete what is past its time, by every function that LETHE_PURGES names."""
    from core import clock

    for path in settings.LETHE_PURGES:
        deleted = import_string(path)(now=clock.now())
        logger.info("purge.done", kind=path, count=deleted)


def kick(*, effect_id: UUID, queue: str) -> None:
    """Tell a worker of `queue` about an effect; a failure costs waiting for the next sweep.

    After a failure nobody is told for a while: a user's request must not wait for a dead broker.
    """
    app = app_or_default()
    if app.main != "lethe":  # a process without the Celery app, such as a command
        return
    if time.monotonic() < _silent_until.get(app, 0.0):
        return
    try:
        dispatch.apply_async(args=(str(effect_id),), queue=queue, retry=False)
    except Exception as error:  # noqa: BLE001 - the effect is committed; the sweep will find it
        _silent_until[app] = time.monotonic() + _SILENCE
        logger.warning("effect.kick_failed", effect_id=effect_id, error_class=type(error).__name__)
