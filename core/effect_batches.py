"""Effects of one kind by the hundred: enqueued in one statement, ended by whoever did their act."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import orjson
from django.conf import settings
from django.db import transaction

from core import kicks, statements
from core.ids import new_time_ordered
from core.models import Effect, EffectState
from core.unit_of_work import requires_unit_of_work

_ENQUEUE: Final = """
INSERT INTO core_effect
  (id, kind, key, queue, payload, state, attempts, failures, due_at, last_error, created_at)
SELECT n.id, %s, n.key, %s, n.payload, 'pending', 0, 0, %s, '', %s
FROM unnest(%s::uuid[], %s::text[], %s::jsonb[]) AS n (id, key, payload)
ON CONFLICT (kind, key) DO NOTHING"""


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
    wanted = list(items)
    ids = [new_time_ordered() for _ in wanted]
    keys = [key for key, _ in wanted]
    payloads = [orjson.dumps(payload).decode() for _, payload in wanted]
    statements.run(_ENQUEUE, [kind, queue, not_before or now, now, ids, keys, payloads])
    if wanted and not_before is None:
        first = ids[0]
        transaction.on_commit(lambda: kicks.kick(effect_id=first, queue=queue))


def waiting(*, kind: str, now: datetime, limit: int) -> list[str]:
    """Keys of due effects of `kind` that nobody holds, oldest first."""
    _path, queue = settings.LETHE_EFFECTS[kind]
    due = Effect.objects.filter(queue=queue, kind=kind, state=EffectState.PENDING, due_at__lte=now)
    return list(due.order_by("due_at", "id").values_list("key", flat=True)[:limit])


@requires_unit_of_work
def end_many(*, kind: str, keys: Iterable[str], now: datetime) -> int:
    """End waiting effects whose acts were done together with another one's; how many.

    One that a worker holds is left to it: it will find its act done.
    """
    waiting = Effect.objects.filter(kind=kind, key__any=list(keys), state=EffectState.PENDING)
    return waiting.update(state=EffectState.DONE, settled_at=now, last_error="")
