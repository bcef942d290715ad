"""Key shares that the key store holds and no row names: made after the backup that was put back.

Whose they are was forgotten with the rows; a later copy of the database may know it still. So they
are written down as RETIRED shares of nobody (`find`), and destroyed like any other, journaled and
read back, once no copy of the database is left that may name them (`end_cleared`), or once an
officer gives those copies up (`give_up`). docs/adr/0009 says why not at once.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Max, QuerySet
from django.utils.module_loading import import_string

from core import audit, effects, failpoints, ids
from core.actors import Actor, process_actor
from core.logging import get_logger
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.journal import MAX_KIDS
from vault.domain.states import Scope, ShareState, ShreddingState
from vault.errors import ShredBlocked
from vault.models import KeyShare, Shredding, ShreddingShare, ShredLock
from vault.ports import ShareRef
from vault.ports import ShareState as StoreState
from vault.services import destructions, fencing, gate, locks

logger = get_logger(__name__)
ERASER, WORKER = process_actor("eraser"), process_actor("worker")
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Waiting:
    """Shares of nobody of one controller that are not destroyed, and when the last was found."""

    controller_id: UUID
    count: int
    found_at: datetime


@requires_unit_of_work
def look_for(*, after: str, now: datetime) -> None:
    """Have the eraser look for them; `after` names the restore, for which it is done once."""
    effects.enqueue(kind="vault.find-orphans", key=after, payload={}, now=now)


@no_open_transaction
def find(*, now: datetime) -> int:
    """Write down every living share that no row names; how many. As the eraser.

    May be repeated. Raises CustodianUnavailable.
    """
    count = 0
    for controller_id in runtime.inventory().controllers():
        # The listing first: a row is committed before its share is made.
        held = {UUID(bytes=kid) for kid in runtime.inventory().kids(controller_id=controller_id)}
        rows = KeyShare.objects.filter(controller_id=controller_id)
        unnamed = sorted(held - set(rows.values_list("kid", flat=True)))
        for start in range(0, len(unnamed), _BATCH):
            living = _living(controller_id, unnamed[start : start + _BATCH])
            count += _note(controller_id, living, now=now)
            failpoints.reach("vault.orphans.noted")
    if count:
        logger.warning("key_share.orphaned", code="key-without-row", count=count)
    return count


def _living(controller_id: UUID, kids: Sequence[UUID]) -> list[UUID]:
    """Those that some node can use; what the journal knows as destroyed has no row either."""
    refs = [ShareRef(kid.bytes, controller_id) for kid in kids]
    readings = runtime.custodian().read_destruction(refs)
    return sorted({UUID(bytes=r.ref.kid) for r in readings if r.state is StoreState.LIVE})


def _note(controller_id: UUID, kids: Sequence[UUID], *, now: datetime) -> int:
    if not kids:
        return 0
    with unit_of_work():
        KeyShare.objects.bulk_create(
            KeyShare(
                kid=kid, controller_id=controller_id, state=ShareState.RETIRED,
                planned_at=now, retired_at=now,
            )
            for kid in kids
        )  # fmt: skip
        _record("orphaned", controller_id, len(kids), actor=ERASER, now=now)
    return len(kids)


def waiting() -> list[Waiting]:
    """What was found and is not on its way to destruction, by controller."""
    of = _undestroyed().values("controller_id").annotate(count=Count("kid"), at=Max("planned_at"))
    rows = of.order_by("controller_id").values_list("controller_id", "count", "at")
    return [Waiting(*row) for row in rows]


def _undestroyed() -> QuerySet[KeyShare]:
    rows = KeyShare.objects.filter(subject=None, state=ShareState.RETIRED)
    return rows.filter(shreddingshare=None)


@no_open_transaction
def end_cleared(*, now: datetime) -> int:
    """Have those destroyed that no copy of the database can name any more; how many.

    One of `LETHE_PURGES`. Nothing while the gate is closed.
    """
    cleared = import_string(settings.LETHE_BACKUPS_CLEARED)
    count = 0
    with unit_of_work():
        if not gate.state().is_open:
            return 0
        for one in waiting():
            if cleared(store="database", since=one.found_at, now=now):
                count += _end(one.controller_id, actor=WORKER, now=now)
    failpoints.reach("vault.orphans.ended")
    return count


@no_open_transaction
def give_up(*, controller_id: UUID, officer: Actor, now: datetime) -> int:
    """Have all of a controller's destroyed now; how many.

    A copy of the database that names them is of no use for their data afterwards. Raises
    RestoreReplayRequired, and ShredBlocked while any lock of the controller is in force: nobody
    can say that it does not cover them.
    """
    with unit_of_work():
        gate.require_open()
        locks.serialize(controller_id, exclusive=False)
        lock = ShredLock.objects.filter(controller_id=controller_id, lifted_at=None).first()
        if lock is not None:
            raise ShredBlocked(ground=lock.ground, lock=str(lock.id))
        return _end(controller_id, actor=officer, now=now)


@requires_unit_of_work
def _end(controller_id: UUID, *, actor: Actor, now: datetime) -> int:
    """Order their destruction: nothing uses them, so there is nothing to drain."""
    rows = _undestroyed().select_for_update(of=("self",)).filter(controller_id=controller_id)
    kids = list(rows.order_by("kid").values_list("kid", flat=True))
    for start in range(0, len(kids), MAX_KIDS):
        _order(controller_id, kids[start : start + MAX_KIDS], actor=actor, now=now)
    if kids:
        _record("given-up", controller_id, len(kids), actor=actor, now=now)
    return len(kids)


@requires_unit_of_work
def _order(controller_id: UUID, kids: Collection[UUID], *, actor: Actor, now: datetime) -> None:
    row = Shredding.objects.create(
        erasure_id=ids.new_random(),
        controller_id=controller_id,
        scope=Scope.ORPHANS,
        state=ShreddingState.ORDERED,
        fenced_at=now,
        drain_until=now,
        drained_at=now,
        ordered_at=now,
    )
    ShreddingShare.objects.bulk_create(
        ShreddingShare(shredding=row, share_id=kid, was_live=False) for kid in kids
    )
    destructions.intend([row], now=now)
    payload = {"erasure_id": str(row.erasure_id)}
    effects.enqueue(kind="vault.shred", key=str(row.erasure_id), payload=payload, now=now)
    fencing.note("ordered", [row], now=now, actor=actor)


@requires_unit_of_work
def _record(step: str, controller_id: UUID, count: int, *, actor: Actor, now: datetime) -> None:
    audit.record(
        action=f"vault.share.{step}",
        actor=actor,
        controller_id=controller_id,
        now=now,
        details={"shares": count},
    )
