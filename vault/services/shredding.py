"""The erasure machine (FENCED to SWEPT): each step idempotent, its marker written last.

`fence` is called by the room above in its own unit of work; the later steps are run by the
eraser process through the effect `vault.shred`, one after another, from whatever state a crash
left behind.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from django.conf import settings

from core import audit, effects, failpoints
from core.actors import Actor, process_actor
from core.errors import NotFound
from core.ids import new_time_ordered
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.states import (
    ShareState,
    ShreddingState,
    SubjectState,
    require_shredding_move,
)
from vault.errors import KeyStillAlive, ShredBlocked
from vault.models import (
    Alias,
    CustodyGrant,
    DataKey,
    KeyGrant,
    KeyShare,
    LookupTag,
    Removal,
    SealedOpening,
    SealedRecord,
    Shredding,
    ShreddingShare,
    ShredLock,
    Subject,
    SuppressionTag,
)
from vault.ports import DestructionReading
from vault.ports import ShareState as StoreState
from vault.services import journal, keys, locks
from vault.services.grants import lock_subject

ERASER = process_actor("eraser")


class ErasureNotFound(NotFound):
    """No erasure has this id."""

    code = "erasure-not-found"
    text = "No erasure of yours has this id."


def get(*, erasure_id: UUID) -> Shredding:
    """The shredding's row. Raises ErasureNotFound."""
    shredding = Shredding.objects.filter(erasure_id=erasure_id).first()
    if shredding is None:
        raise ErasureNotFound
    return shredding


def drain_time() -> timedelta:
    """What is outwaited after a fence: page-write deadline, cached keys, one key-store call."""
    call = timedelta(seconds=settings.LETHE_VAULT_TIMEOUT)
    drain: timedelta = settings.LETHE_PAGE_DEADLINE + settings.LETHE_DEK_CACHE + call
    return drain


@requires_unit_of_work
def fence(
    *, subject_id: UUID, erasure_id: UUID, actor: Actor, open_leases: int, now: datetime
) -> Shredding:
    """Stop all reading and writing of the subject with this commit, and enqueue the destruction.

    `open_leases` is how many leases were open on the subject's purposes. Raises SubjectNotFound,
    SubjectErased, ShredBlocked (with the ground of one lock).
    """
    _serialize(subject_id)
    controller_id = lock_subject(subject_id).controller_id
    _require_unlocked(subject_id)
    shredding = Shredding.objects.create(
        erasure_id=erasure_id,
        controller_id=controller_id,
        subject_id=subject_id,
        state=ShreddingState.FENCED,
        fenced_at=now,
        drain_until=now + drain_time(),
        open_leases=open_leases,
    )
    shares = KeyShare.objects.filter(subject_id=subject_id).exclude(
        state__in=[ShareState.DESTROYED, ShareState.ABSENT]
    )
    ShreddingShare.objects.bulk_create(
        ShreddingShare(shredding=shredding, share=share, was_live=share.state == ShareState.LIVE)
        for share in shares
    )
    shares.update(state=ShareState.RETIRED, retired_at=now)
    Subject.objects.filter(id=subject_id).update(state=SubjectState.FENCED, erasure_id=erasure_id)
    effects.enqueue(
        kind="vault.shred",
        key=str(erasure_id),
        payload={"erasure_id": str(erasure_id)},
        now=now,
        not_before=shredding.drain_until,
    )
    _audit("fenced", shredding, now=now, actor=actor)
    return shredding


def _serialize(subject_id: UUID | None) -> None:
    """Order us against lock changes, before any row's lock, as whoever places a lock does."""
    found = Subject.objects.filter(id__in=[subject_id] if subject_id else [])
    for controller_id in found.values_list("controller_id", flat=True):
        locks.serialize(controller_id, exclusive=False)


def _require_unlocked(subject_id: UUID) -> None:
    for lock in locks.blocking(subject_id=subject_id):
        raise ShredBlocked(ground=lock.ground, lock=str(lock.id))


def _audit(
    step: str,
    shredding: Shredding,
    *,
    now: datetime,
    actor: Actor = ERASER,
    details: Mapping[str, int] | None = None,
) -> None:
    audit.record(
        action=f"vault.shredding.{step}",
        actor=actor,
        controller_id=shredding.controller_id,
        now=now,
        erasure_id=shredding.erasure_id,
        details=dict(details or {}),
    )


def _move(
    shredding: Shredding,
    state: ShreddingState,
    *,
    now: datetime,
    details: Mapping[str, int] | None = None,
) -> None:
    """Write a step's marker; the last thing the step does."""
    require_shredding_move(shredding.state, state)
    shredding.state = state
    setattr(shredding, f"{state.name.lower()}_at", now)
    shredding.save()
    _audit(state.name.lower(), shredding, now=now, details=details)


def _locked(erasure_id: UUID, state: ShreddingState) -> Shredding | None:
    """The shredding under its own lock, or None when it is past `state` already."""
    shredding = Shredding.objects.select_for_update().get(erasure_id=erasure_id)
    return shredding if shredding.state == state else None


@no_open_transaction
def drain(*, erasure_id: UUID, now: datetime) -> None:
    """Mark the drain as over; the caller has waited until `drain_until`."""
    with unit_of_work():
        shredding = _locked(erasure_id, ShreddingState.FENCED)
        if shredding is not None and now >= shredding.drain_until:
            _move(shredding, ShreddingState.DRAINED, now=now)


@no_open_transaction
def order(*, erasure_id: UUID, now: datetime) -> None:
    """Pass the point of no return, under the subject's lock, after checking locks once more.

    Raises ShredBlocked.
    """
    with unit_of_work():
        subject_id = Shredding.objects.values_list("subject_id", flat=True).get(
            erasure_id=erasure_id
        )
        _serialize(subject_id)
        subject = Subject.objects.select_for_update().filter(id=subject_id).first()
        shredding = _locked(erasure_id, ShreddingState.DRAINED)
        if shredding is None or subject is None:
            return
        _require_unlocked(subject.id)
        _move(shredding, ShreddingState.ORDERED, now=now)


@no_open_transaction
def destroy(*, erasure_id: UUID, now: datetime) -> None:
    """Journal the intent, destroy every share, read the destruction back, mark it.

    A lost answer is unknown until read back. Raises JournalUnavailable (nothing destroyed),
    CustodianUnavailable (repeat), KeyStillAlive (stop, page).
    """
    shredding = get(erasure_id=erasure_id)
    if shredding.state != ShreddingState.ORDERED:
        return
    shares = list(KeyShare.objects.filter(shreddingshare__shredding=shredding).order_by("kid"))
    failpoints.reach("vault.destroy.before-journal")
    if not shredding.journal:
        journal.destruction(shredding=shredding, shares=shares, now=now)
    refs = [keys.share_ref(share) for share in shares]
    custodian = runtime.custodian()
    failpoints.reach("vault.destroy.journaled")
    custodian.destroy_shares(refs)
    failpoints.reach("vault.destroy.destroyed")
    readings = custodian.read_destruction(refs)
    if any(reading.state is StoreState.LIVE for reading in readings):
        raise KeyStillAlive(erasure_id=str(erasure_id))
    failpoints.reach("vault.destroy.read-back")
    with unit_of_work():
        current = _locked(erasure_id, ShreddingState.ORDERED)
        if current is None:
            return
        _settle_shares(readings, now=now)
        _move(current, ShreddingState.KEYS_DESTROYED, now=now, details={"shares": len(shares)})


def _settle_shares(readings: Iterable[DestructionReading], *, now: datetime) -> None:
    """Destroyed where any node says so; absent where no node ever held it."""
    destroyed = {UUID(bytes=r.ref.kid) for r in readings if r.state is StoreState.DESTROYED}
    absent = {UUID(bytes=r.ref.kid) for r in readings} - destroyed
    KeyShare.objects.filter(kid__in=destroyed).update(state=ShareState.DESTROYED, destroyed_at=now)
    KeyShare.objects.filter(kid__in=absent).update(state=ShareState.ABSENT, destroyed_at=now)


@no_open_transaction
def sweep(*, erasure_id: UUID, now: datetime) -> None:
    """Delete what the keys protected and cut what leads back to the person; one transaction."""
    with unit_of_work():
        shredding = _locked(erasure_id, ShreddingState.KEYS_DESTROYED)
        if shredding is None:
            return
        subject, trail_id = _subject_to_sweep(shredding)
        _keep_removals(subject.id, now=now)
        _keep_suppressions(subject.id, erasure_id, now=now)
        shredding.counts = _delete(subject.id)
        for participant in runtime.participants():
            participant.swept(erasure_id=erasure_id, subject_id=subject.id, trail_id=trail_id)
        _cut(subject)
        shredding.subject = None
        effects.enqueue(
            kind="vault.attest",
            key=str(erasure_id),
            payload={"erasure_id": str(erasure_id)},
            now=now,
        )
        _move(shredding, ShreddingState.SWEPT, now=now, details=shredding.counts)
        failpoints.reach("vault.sweep.before-commit")


def _subject_to_sweep(shredding: Shredding) -> tuple[Subject, UUID]:
    subject = Subject.objects.select_for_update().get(shredding=shredding)
    if subject.trail_id is None:
        raise KeyStillAlive(erasure_id=str(shredding.erasure_id))
    return subject, subject.trail_id


def _cut(subject: Subject) -> None:
    """Leave a tombstone that leads nowhere: no trail, no share, no erasure, no exact time.

    The exact time of its creation would find the event of its creation, and so the trail.
    """
    created_at = subject.created_at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    KeyShare.objects.filter(subject=subject).update(subject=None, planned_at=created_at)
    Shredding.objects.filter(subject=subject).update(subject=None)
    ShredLock.objects.filter(scope=ShredLock.Scope.SUBJECT, scope_id=subject.id).delete()
    Subject.objects.filter(id=subject.id).update(
        state=SubjectState.ERASED,
        trail_id=None,
        evidence_public=None,
        erasure_id=None,
        created_at=created_at,
    )


def _keep_removals(subject_id: UUID, *, now: datetime) -> None:
    Removal.objects.bulk_create(
        Removal(
            id=new_time_ordered(),
            purpose_id=alias.purpose_id,
            alias=alias.id,
            reason=Removal.Reason.ERASED,
            at=now,
        )
        for alias in Alias.objects.filter(subject_id=subject_id).order_by("id")
    )


def _keep_suppressions(subject_id: UUID, erasure_id: UUID, *, now: datetime) -> None:
    SuppressionTag.objects.bulk_create(
        SuppressionTag(
            controller_id=tag.controller_id,
            kind=tag.kind,
            tag=tag.suppression,
            source_id=tag.source_id,
            erasure_id=erasure_id,
            expires_at=now + timedelta(days=settings.LETHE_SUPPRESSION_DAYS),
        )
        for tag in LookupTag.objects.filter(subject_id=subject_id)
    )


_Held: TypeAlias = (
    SealedRecord | KeyGrant | CustodyGrant | DataKey | Alias | LookupTag | SealedOpening
)


def _delete(subject_id: UUID) -> dict[str, int]:
    """Delete the subject's rows, children first; how many of each kind."""
    kinds: dict[str, type[_Held]] = {
        "records": SealedRecord,
        "grants": KeyGrant,
        "custody_grants": CustodyGrant,
        "data_keys": DataKey,
        "aliases": Alias,
        "tags": LookupTag,
        "openings": SealedOpening,
    }
    return {
        kind: model.objects.filter(subject_id=subject_id).delete()[0]
        for kind, model in kinds.items()
    }
