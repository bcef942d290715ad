"""Telling a worker that an effect waits for it; a kick may be lost, the effects table is true."""

import time
from typing import Final
from uuid import UUID
from weakref import WeakKeyDictionary

from celery import Celery
from celery.app import app_or_default

from core.logging import get_logger

logger = get_logger(__name__)

#: The task of `core.tasks` that runs one effect.
DISPATCH: Final = "core.dispatch"
#: Seconds without a further try after a broker did not answer.
_SILENCE: Final = 30.0
_silent_until: WeakKeyDictionary[Celery, float] = WeakKeyDictionary()


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
        app.send_task(DISPATCH, args=(str(effect_id),), queue=queue, retry=False)
    except Exception as error:  # noqa: BLE001 - the effect is committed; the sweep will find it
        _silent_until[app] = time.monotonic() + _SILENCE
        logger.warning("effect.kick_failed", effect_id=effect_id, error_class=type(error).__name__)
