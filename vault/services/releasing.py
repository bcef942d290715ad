"""Destructions that a restored database brought back: held until a named officer decides.

The backup may be older than a decision to call one off, and a destruction cannot be undone.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from core import audit, ids
from core.actors import Actor
from core.errors import NotFound
from core.ids import PublicId
from core.unit_of_work import requires_unit_of_work, unit_of_work
from vault.domain.journal_bodies import MAX_ITEMS
from vault.domain.states import CANCELLABLE, ShreddingState
from vault.models import Shredding
from vault.services import destructions, journal, locks, shredding


class NotHeld(NotFound):
    """No held destruction has this id."""

    code = "not-held"
    text = "No held destruction has this id; `manage.py release_destructions` lists them."


def held() -> list[Shredding]:
    """What waits for an officer, oldest fence first."""
    rows = Shredding.objects.filter(
        state__in=shredding.UNFINISHED, held_at__isnull=False, released_at=None
    )
    return list(rows.order_by("fenced_at", "erasure_id"))


def release(*, erasure_ids: Collection[UUID], officer: Actor, now: datetime) -> int:
    """Let these destructions go on; how many.

    Raises NotHeld (nothing released) unless each of them is held.
    """
    with unit_of_work():
        rows = _held(erasure_ids)
        for row in rows:
            row.released_at, row.released_by = now, officer.id
        Shredding.objects.bulk_update(rows, ["released_at", "released_by"])
        # What was ordered before the backup lost its announcement when it was held.
        ordered = [row for row in rows if row.state == ShreddingState.ORDERED and not row.journal]
        destructions.intend(ordered, now=now)
        named = [str(row.erasure_id) for row in rows]
        journal.intend_many(
            kind="released",
            bodies=(
                {"officer": officer.id, "erasures": named[start : start + MAX_ITEMS]}
                for start in range(0, len(named), MAX_ITEMS)
            ),
            now=now,
        )
        _record("released", rows, officer, now=now)
    return len(rows)


def call_off(*, erasure_ids: Collection[UUID], officer: Actor, now: datetime) -> int:
    """Cancel these destructions: their subjects live again; how many.

    Raises NotHeld, and TooLate for one that was ordered before the backup (nothing cancelled).
    """
    with unit_of_work():
        rows = _held(erasure_ids)
        for row in rows:
            locks.cancel(erasure_id=row.erasure_id, actor=officer, now=now)
        _record("called-off", rows, officer, now=now)
    return len(rows)


@requires_unit_of_work
def _held(erasure_ids: Collection[UUID]) -> list[Shredding]:
    """The held rows, locked after their subjects, as every other step locks them."""
    wanted = set(erasure_ids)
    rows = [row for row in held() if row.erasure_id in wanted]
    for missing in wanted - {row.erasure_id for row in rows}:
        raise NotHeld(erasure_id=ids.format(PublicId.ERASURE, missing))
    shredding.serialize([row.subject_id for row in rows if row.subject_id is not None])
    locked = Shredding.objects.select_for_update().filter(erasure_id__in=wanted)
    return list(locked.order_by("erasure_id"))


def _record(step: str, rows: Sequence[Shredding], officer: Actor, *, now: datetime) -> None:
    audit.record_many(
        [
            audit.Event(
                action=f"vault.shredding.{step}",
                actor=officer,
                controller_id=row.controller_id,
                now=now,
                erasure_id=row.erasure_id,
                details={"was": row.state, "cancellable": row.state in CANCELLABLE},
            )
            for row in rows
        ]
    )
