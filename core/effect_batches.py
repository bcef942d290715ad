"""Effects of one kind by the hundred: enqueued in one statement, ended by whoever did their act."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.conf import settings
from django.db import transaction

from core import tasks
from core.models import Effect, EffectState
from core.unit_of_work import requires_unit_of_work


@requires_unit_of_work
def enqueue_many(
    *,
    kind: str,
    items: Iterable[tuple[str, Mapping[str, str | int]]],
    now: datetime,
    not_before: datetime | None = None,
) -> None:
    """As `core.effects.enqueue` for each (key, payload); a key that is there is left as it is."""
    _path, queue = settings.LETHE_EFFECTS[kind]
    rows = [
        Effect(
            kind=kind,
            key=key,
            queue=queue,
            payload=dict(payload),
            due_at=not_before or now,
            created_at=now,
        )
        for key, payload in items
    ]
    Effect.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)
    if rows and not_before is None:
        first = rows[0].id
        transaction.on_commit(lambda: tasks.kick(effect_id=first, queue=queue))


@requires_unit_of_work
def end_many(*, kind: str, keys: Iterable[str], now: datetime) -> int:
    """End waiting effects whose acts were done together with another one's; how many.

    One that a worker holds is left to it: it will find its act done.
    """
    waiting = Effect.objects.filter(kind=kind, key__in=list(keys), state=EffectState.PENDING)
    return waiting.update(state=EffectState.DONE, settled_at=now, last_error="")
