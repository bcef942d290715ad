"""Celery tasks. Arguments are ids and queue names only; the effects table is the truth."""

from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.utils.module_loading import import_string

from core import clock, effects
from core.kicks import DISPATCH
from core.logging import get_logger

logger = get_logger(__name__)


@shared_task(name=DISPATCH, ignore_result=True, acks_late=True)
def dispatch(effect_id: str, **_unknown: object) -> None:
    """Run one effect; arguments of a newer version are tolerated."""
    try:
        effects.run(effect_id=UUID(effect_id), now=clock.now())
    except effects.EffectNotFound:
        logger.warning("effect.unknown", effect_id=effect_id)


@shared_task(name="core.sweep_queue", ignore_result=True, acks_late=True)
def sweep_queue(queue: str, **_unknown: object) -> None:
    """Run every due effect of `queue`."""
    effects.sweep(queue=queue, now=clock.now())


@shared_task(name="core.tend", ignore_result=True, acks_late=True)
def tend(queue: str, **_unknown: object) -> None:
    """Call what LETHE_TENDERS names for `queue`; the next round comes in any case."""
    for path in settings.LETHE_TENDERS.get(queue, ()):
        import_string(path)(now=clock.now())


@shared_task(name="core.purge", ignore_result=True, acks_late=True)
def purge(**_unknown: object) -> None:
    """Delete what is past its time, by every function that LETHE_PURGES names."""
    for path in settings.LETHE_PURGES:
        deleted = import_string(path)(now=clock.now())
        logger.info("purge.done", kind=path, count=deleted)
