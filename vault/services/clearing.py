"""The last step of an erasure: VERIFIED to BACKUP_CLEAR, once no backup can hold its keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from core.actors import process_actor
from core.canonical import instant
from core.unit_of_work import requires_unit_of_work
from vault.domain.backups import Doubt, Horizon, Kind, Slot, Source, Store, judge
from vault.domain.states import ShreddingState
from vault.models import BackupClearance, Replay, Shredding, ShreddingShare
from vault.services import backup_rows, backups, gate, shredding

WORKER = process_actor("worker")
#: How an inventory's line is known, in the words of the certificate.
_EVIDENCE: Final = {
    Source.LISTING: "read-from-store",
    Source.DECLARATION: "signed-by-operator",
}


@requires_unit_of_work
def clear(*, limit: int, now: datetime) -> list[UUID]:
    """Move up to `limit` verified erasures that are clear of backups on; which, oldest first.

    Nothing while the gate is closed: a store that was put back may hold the keys. Whoever calls it
    goes on while the answer is as long as `limit`.
    """
    backup_rows.serialize()
    if not gate.state().is_open or not backup_rows.is_whole():
        return []
    slots, replays = backup_rows.slots(), list(Replay.objects.exclude(applied_at=None))
    cleared: list[tuple[Shredding, datetime, Horizon]] = []
    rows = list(_waiting(slots, replays, now)[:limit])
    needed = _needed(rows)
    for row in rows:
        since = destroyed_at(row, replays)
        horizon = judge(slots, needed=needed, destroyed_at=since, now=now)
        if horizon.doubt is not None:
            break  # what was destroyed later is not clear either
        cleared.append((row, since, horizon))
    _store(cleared, now=now)
    return [row.erasure_id for row, _since, _horizon in cleared]


def destroyed_at(row: Shredding, replays: Sequence[Replay]) -> datetime:
    """When its keys were destroyed last: a replay destroys those again that a store had back."""
    times = [replay.applied_at for replay in replays if _has_touched(replay, row)]
    return max(time for time in [row.keys_destroyed_at, *times] if time is not None)


def _has_touched(replay: Replay, row: Shredding) -> bool:
    is_same = row.journal.get("journal_id") == str(replay.journal_id)
    return is_same and int(row.journal["ordinal"]) > replay.after_ordinal


def _waiting(
    slots: Sequence[Slot], replays: Sequence[Replay], now: datetime
) -> QuerySet[Shredding]:
    """Verified erasures but for those whose keys a replay destroyed again too lately."""
    waiting = Shredding.objects.select_for_update().filter(state=ShreddingState.VERIFIED)
    for replay in replays:
        since = replay.applied_at or now
        horizon = judge(slots, needed=backups.needed(), destroyed_at=since, now=now)
        if horizon.doubt is not None:
            waiting = waiting.exclude(
                journal__journal_id=str(replay.journal_id),
                journal__ordinal__gt=replay.after_ordinal,
            )
    return waiting.order_by("keys_destroyed_at", "erasure_id")


def _needed(rows: Sequence[Shredding]) -> set[tuple[Kind, str]]:
    """The kinds and clusters that must have been stated for all of them."""
    shares = ShreddingShare.objects.filter(shredding__in=[row.erasure_id for row in rows])
    clusters = set(shares.values_list("share__cluster", flat=True))
    of_store = {kind for kind in Kind if kind.store is Store.KEY_STORE}
    return backups.needed() | {(kind, cluster) for kind in of_store for cluster in clusters}


@requires_unit_of_work
def _store(cleared: Sequence[tuple[Shredding, datetime, Horizon]], *, now: datetime) -> None:
    BackupClearance.objects.bulk_create(
        BackupClearance(
            erasure_id=row.erasure_id,
            controller_id=row.controller_id,
            destroyed_at=since,
            irrecoverable_from=horizon.until or since,
            inventory=_inventory(horizon),
            at=now,
        )
        for row, since, horizon in cleared
    )
    rows = [row for row, _since, _horizon in cleared]
    shredding.move(rows, ShreddingState.BACKUP_CLEAR, now=now, actor=WORKER)


def _inventory(horizon: Horizon) -> dict[str, Any]:
    """The end and the lines of a final certificate."""
    lines = sorted(horizon.items, key=lambda item: (item.kind, item.expires_at, item.digest))
    return {
        "at": max(instant(item.expires_at) for item in lines),
        "inventory": [
            {
                "kind": item.kind.value,
                "expires_at": instant(item.expires_at),
                "evidence": _EVIDENCE[item.source],
                "statement": item.digest,
            }
            for item in lines
        ],
    }


def outlook(erasure_id: UUID, *, now: datetime) -> Horizon | None:
    """From when nothing of an erasure can be recovered, or why that is not known.

    None until its keys were read back as gone. A copy that turned up after the erasure was called
    clear gives the doubt `backup-contradicts`; `backup-clearing-due`: the next round of the timer.
    """
    row = Shredding.objects.filter(erasure_id=erasure_id, verified_at__isnull=False).first()
    replays = list(Replay.objects.exclude(applied_at=None))
    cleared = BackupClearance.objects.filter(erasure_id=erasure_id).first()
    if cleared is not None:
        is_not_so = backups.is_contradicted(destroyed_at=cleared.destroyed_at)
        if row is not None:  # a key store was put back that had the keys still
            is_not_so = is_not_so or destroyed_at(row, replays) > cleared.at
        return Horizon(cleared.irrecoverable_from, Doubt.CONTRADICTED if is_not_so else None)
    if row is None:
        return None
    if not backup_rows.is_whole(deep=False):
        return Horizon(None, Doubt.BROKEN)
    since, needed = destroyed_at(row, replays), _needed([row])
    found = judge(backup_rows.slots(), needed=needed, destroyed_at=since, now=now)
    if found.doubt is None and not backup_rows.is_whole():
        return Horizon(None, Doubt.BROKEN)
    return found if found.doubt else Horizon(found.until, Doubt.DUE)
