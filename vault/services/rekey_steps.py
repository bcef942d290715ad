"""The steps of a re-key in the background: create, await, seal anew, swap, await, destroy.

Each step may be repeated from whatever a crash left. Until the swap the old share serves every
read and write; the swap is one commit under the subject's lock, and seals what was written since.
The new share is put to use once a snapshot of the key store holds it, and the old one is destroyed
once a backup of the database knows the swap, so that neither store restored alone loses what was
kept; both at the latest after the hours that the settings name.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from core import audit, failpoints, ids
from core.actors import process_actor
from core.canonical import instant
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.states import (
    RekeyState,
    Scope,
    ShareState,
    ShreddingState,
    SubjectState,
    require_rekey_move,
)
from vault.errors import ShredBlocked
from vault.models import DataKey, KeyShare, Rekey, Shredding, ShreddingShare
from vault.ports import ShareState as StoreState
from vault.services import gate, group_shredding, keys, rekey_keys, rekeying, resealing
from vault.services.grants import lock_subject
from vault.services.rekey_keys import Wrapped
from vault.services.resealing import KeyPair

WORKER = process_actor("worker")
#: How long until a step that waits for others looks again.
_PAUSE: Final = timedelta(minutes=5)
#: Batches of one run, so that it ends before its lease does.
_BATCHES: Final = 20
#: A backup that began this soon after a commit may have begun before it: clocks differ.
_MARGIN: Final = timedelta(minutes=1)

Clock = Callable[[], datetime]


@no_open_transaction
def advance(*, rekey_id: UUID, clock: Clock) -> datetime | None:
    """Take the re-key as far as it can go; when to come again, or None when nothing is left.

    `clock` is read after each call of the key store, since snapshots are compared with what it
    says. Raises RestoreReplayRequired, CustodianUnavailable (repeat), KeyLost, CustodianRefused
    and CiphertextTampered.
    """
    while True:
        rows = Rekey.objects.select_related("subject", "old_share", "new_share")
        row = rows.filter(id=rekey_id).first()
        if row is None or row.state == RekeyState.DONE:
            return None
        if row.subject.state != SubjectState.LIVE:
            return clock() + _PAUSE  # the erasure ends this, or a lock ends the erasure
        if row.old_share.state == ShareState.LOST:
            return clock() + _PAUSE  # the right snapshot brings it back, or an erasure ends it
        again = _STEPS[RekeyState(row.state)](row, clock)
        if again is not None:
            return again


def state(rekey_id: UUID) -> str:
    """The state's name, or that of a re-key that went with its subject."""
    found = Rekey.objects.filter(id=rekey_id).values_list("state", flat=True).first()
    return found or "erased"


def is_attested(*, store: str, after: datetime) -> bool:
    """Whether a backup of `store` (`database` or `key-store`) that began after it is attested."""
    attested: Callable[..., bool] = import_string(settings.LETHE_BACKUPS_ATTESTED)
    return attested(store=store, after=after)


def none_attested(*, store: str, after: datetime) -> bool:
    """What `LETHE_BACKUPS_ATTESTED` names where no inventory of backups is kept."""
    del store, after
    return False


def _create(row: Rekey, clock: Clock) -> None:
    failpoints.reach("vault.rekey.planned")
    (answer,) = runtime.custodian().create_shares([keys.share_ref(row.new_share)])
    failpoints.reach("vault.rekey.created")
    with unit_of_work():
        current = _locked(row)
        if current is None:
            return
        if answer is StoreState.DESTROYED:
            rekeying.replace_successor(current, now=clock())
        else:
            _move(current, RekeyState.CREATED, now=clock())


def _await_snapshot(row: Rekey, clock: Clock) -> datetime | None:
    made = row.created_at or row.requested_at
    again = _due("key-store", made, settings.LETHE_REKEY_SWAP_HOURS, clock)
    if again is None:
        with unit_of_work():
            current = _locked(row)
            if current is not None:
                _move(current, RekeyState.RESEALING, now=clock())
        failpoints.reach("vault.rekey.resealing")
    return again


def _due(store: str, since: datetime, hours: float, clock: Clock) -> datetime | None:
    """When to look again; None once a backup is attested or the time is up."""
    latest, now = since + timedelta(hours=hours), clock()
    if now >= latest or is_attested(store=store, after=since + _MARGIN):
        return None
    return min(latest, now + _PAUSE)


def _reseal(row: Rekey, clock: Clock) -> datetime | None:
    pairs = rekey_keys.pairs(row, now=clock())
    if pairs is None:
        with unit_of_work():
            current = _locked(row)
            if current is not None:
                rekeying.replace_successor(current, now=clock())
        return None
    for _ in range(_BATCHES):
        with unit_of_work():
            if _locked(row) is None:
                return None
            done = resealing.reseal(
                controller_id=row.controller_id, pairs=pairs, limit=resealing.BATCH
            )
        failpoints.reach("vault.rekey.resealed")
        if done < resealing.BATCH:
            return None if _swap(row, pairs, clock) else clock()
    return clock()


def _swap(row: Rekey, pairs: Sequence[KeyPair], clock: Clock) -> bool:
    """Put the new share in the old one's place; False when there are keys or grants to add."""
    wrapped = rekey_keys.wrap_grants(row, pairs)
    failpoints.reach("vault.rekey.wrapped")
    with unit_of_work():
        current = _locked(row)
        if current is None:
            return True
        held = set(DataKey.objects.filter(share=row.old_share).values_list("id", flat=True))
        if held != {pair.old_id for pair in pairs} or not wrapped.is_complete():
            return False
        _put_in_place(row, pairs, wrapped, now=clock())
        _move(current, RekeyState.SWAPPED, now=clock())
        failpoints.reach("vault.rekey.swapping")
    failpoints.reach("vault.rekey.swapped")
    return True


@requires_unit_of_work
def _put_in_place(row: Rekey, pairs: Sequence[KeyPair], wrapped: Wrapped, *, now: datetime) -> None:
    """Under the subject's lock nobody writes: what is sealed now is all there is."""
    resealing.reseal(controller_id=row.controller_id, pairs=pairs, limit=None)
    resealing.switch(pairs)
    shares = KeyShare.objects.filter(subject=row.subject)
    shares.filter(kid=row.old_share_id).update(state=ShareState.RETIRED, retired_at=now)
    shares.filter(kid=row.new_share_id).update(state=ShareState.LIVE)
    wrapped.replace()


def _await_backup(row: Rekey, clock: Clock) -> datetime | None:
    swapped = row.swapped_at or row.requested_at
    again = _due("database", swapped, settings.LETHE_REKEY_DESTROY_HOURS, clock)
    if again is not None:
        return again
    try:
        with unit_of_work():
            current = _locked(row)
            if current is not None:
                _destroy(current, now=clock())
                failpoints.reach("vault.rekey.destroying")
    except ShredBlocked:
        return clock() + _PAUSE
    failpoints.reach("vault.rekey.fenced")
    return None


@requires_unit_of_work
def _destroy(row: Rekey, *, now: datetime) -> None:
    """Hand the old share, and new ones that were given up, to the erasure machine."""
    if Shredding.objects.filter(erasure_id=row.erasure_id).exists():  # a lock cancelled that one
        row.erasure_id = ids.new_random()
    running = ShreddingShare.objects.exclude(shredding__state=ShreddingState.CANCELLED)
    retired = KeyShare.objects.filter(state=ShareState.RETIRED).exclude(
        kid__in=running.values("share")
    )
    others = Rekey.objects.exclude(id=row.id).values("old_share")
    group_shredding.fence(
        group_shredding.Part(row.subject_id, Scope.REKEY, row.group, _request(row)),
        shares=retired.exclude(kid__in=others),
        erasure_id=row.erasure_id,
        actor=WORKER,
        now=now,
    )
    _move(row, RekeyState.DESTROYING, now=now)


def _request(row: Rekey) -> dict[str, object]:
    """What the certificate says of why. By the day: an exact time would find the person's events.

    A rectification and the re-key that follows it are moments apart.
    """
    day = row.requested_at.replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "requested_at": instant(day),
        "requesters": row.requesters,
        "reasons": row.reasons,
        "records": row.records,
        "versions": row.versions,
    }


def _await_destruction(_row: Rekey, clock: Clock) -> datetime:
    return clock() + _PAUSE


@requires_unit_of_work
def _locked(row: Rekey) -> Rekey | None:
    """The re-key under its subject's lock, as it is now; None when another worker moved it on.

    Raises SubjectErased, RestoreReplayRequired.
    """
    gate.require_open()
    lock_subject(row.subject_id)
    rows = Rekey.objects.select_for_update(of=("self",)).select_related("old_share", "new_share")
    return rows.filter(id=row.id, state=row.state, new_share=row.new_share_id).first()


@requires_unit_of_work
def _move(row: Rekey, new: RekeyState, *, now: datetime) -> None:
    """Write a step's marker; the last thing the step does."""
    require_rekey_move(row.state, new)
    row.state = new
    if new is RekeyState.CREATED:
        row.created_at = now
    elif new is RekeyState.SWAPPED:
        row.swapped_at = now
    row.save(update_fields=["state", "created_at", "swapped_at", "erasure_id"])
    audit.record(
        action=f"vault.rekey.{new.value}",
        actor=WORKER,
        controller_id=row.controller_id,
        now=now,
        erasure_id=row.erasure_id,
    )


_STEPS: Final[dict[RekeyState, Callable[[Rekey, Clock], datetime | None]]] = {
    RekeyState.PLANNED: _create,
    RekeyState.CREATED: _await_snapshot,
    RekeyState.RESEALING: _reseal,
    RekeyState.SWAPPED: _await_backup,
    RekeyState.DESTROYING: _await_destruction,
}
