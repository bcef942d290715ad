"""Re-keys: what is asked for, and what changes at once. `rekey_steps` does the rest.

The living rows change with the request's own commit, which also writes the journal entry. From
then on the removed rows are only in backups, sealed under the old share; its destruction ends them
there, too.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from core import audit, effects, failpoints, ids
from core.actors import Actor
from core.errors import Conflict, NotFound, PreconditionFailed
from core.unit_of_work import requires_unit_of_work
from vault.domain.states import (
    CANCELLABLE,
    RekeyState,
    Scope,
    ShareState,
    ShreddingState,
    SubjectState,
    require_rekey_move,
)
from vault.errors import KeyLost, ShredBlocked, SubjectNotFound
from vault.models import KeyShare, Rekey, SealedRecord, Shredding, ShreddingShare, Subject
from vault.services import gate, journal, locks, resealing, shredding
from vault.services.grants import lock_subject

Reason = Rekey.Reason
#: Row ids in one entry of the journal.
_ROWS: Final = 1000
#: States in which nothing was sealed for the new share yet, so another request may join.
_JOINABLE: Final = (RekeyState.PLANNED, RekeyState.CREATED)


class RekeyNotFound(NotFound):
    """No such re-key, or another controller's, or its subject is erased."""

    code = "rekey-not-found"
    text = "There is no re-key of yours with this id."


class GroupNotFound(NotFound):
    """The subject holds no key of this group."""

    code = "group-not-found"
    text = "This data subject has no data in such a key group."


class RecordUnknown(NotFound):
    """No such record, or another controller's."""

    code = "record-not-found"
    text = "There is no record of yours with this id."


class RekeyRunning(Conflict):
    """The group is on its way to another key, at a point where nothing else can join."""

    code = "rekey-running"
    text = "This data is on its way to a new key just now; try again later."


@dataclass(frozen=True, slots=True)
class _Removal:
    """Rows to remove, how many records they are of, and the key group they lie in."""

    group: str
    rows: tuple[UUID, ...] = ()
    records: int = 0


@requires_unit_of_work
def erase_record(
    *, controller_id: UUID, record_id: UUID, expected_version: int, actor: Actor, now: datetime
) -> Rekey:
    """Remove all versions of a record with this commit, and begin the re-key of its group.

    Raises RecordUnknown, SubjectErased, PreconditionFailed (another version is current),
    ShredBlocked, RekeyRunning, RestoreReplayRequired, and KeyLost: what stays could not be opened
    to be sealed anew.
    """
    subject, current = _locked(controller_id, record_id, expected_version)
    rows = SealedRecord.objects.filter(subject=subject, record_id=record_id)
    removal = _Removal(current.data_key.share.group, _ids(rows), 1)
    return _request(subject, removal, Reason.ERASURE, actor=actor, now=now)


@requires_unit_of_work
def drop_superseded(
    *, controller_id: UUID, record_id: UUID, expected_version: int, actor: Actor, now: datetime
) -> Rekey:
    """Remove what a rectification has superseded: all versions of a record but the current one.

    Raises as `erase_record`.
    """
    subject, current = _locked(controller_id, record_id, expected_version)
    rows = SealedRecord.objects.filter(subject=subject, record_id=record_id)
    superseded = rows.exclude(version=current.version)
    records = 1 if superseded.exists() else 0
    removal = _Removal(current.data_key.share.group, _ids(superseded), records)
    return _request(subject, removal, Reason.RECTIFICATION, actor=actor, now=now)


@requires_unit_of_work
def suspect_leak(
    *, controller_id: UUID, subject_id: UUID, group: str, actor: Actor, now: datetime
) -> Rekey:
    """Give a group another key because the one it has may have leaked; nothing is removed.

    Raises SubjectNotFound, SubjectErased, GroupNotFound, RekeyRunning, RestoreReplayRequired,
    KeyLost.
    """
    gate.require_open()
    shredding.serialize([subject_id])
    subject = lock_subject(subject_id)
    if subject.controller_id != controller_id:
        raise SubjectNotFound
    return _request(subject, _Removal(group), Reason.LEAK, actor=actor, now=now)


@requires_unit_of_work
def _locked(
    controller_id: UUID, record_id: UUID, expected_version: int
) -> tuple[Subject, SealedRecord]:
    """The record's living subject, locked, and its current row as it is under that lock."""
    gate.require_open()
    rows = SealedRecord.objects.filter(record_id=record_id, subject__controller_id=controller_id)
    subject_id = rows.values_list("subject_id", flat=True).first()
    if subject_id is None:
        raise RecordUnknown
    shredding.serialize([subject_id])
    subject = lock_subject(subject_id)
    shown = rows.filter(is_current=True).select_related("data_key__share")
    current = shown.filter(data_key__share__state=ShareState.LIVE).first()
    if current is None and shown.filter(data_key__share__state=ShareState.LOST).exists():
        raise KeyLost
    if current is None:
        raise RecordUnknown
    if current.version != expected_version:
        raise PreconditionFailed
    return subject, current


def _ids(rows: QuerySet[SealedRecord]) -> tuple[UUID, ...]:
    return tuple(rows.order_by("id").values_list("id", flat=True))


@requires_unit_of_work
def _request(
    subject: Subject, removal: _Removal, reason: Reason, *, actor: Actor, now: datetime
) -> Rekey:
    if removal.rows:
        for lock in locks.blocking(subject_id=subject.id, group=removal.group):
            raise ShredBlocked(ground=lock.ground, lock=str(lock.id))
    shares = KeyShare.objects.filter(subject=subject, group=removal.group)
    old = shares.filter(state=ShareState.LIVE).first()
    if old is None and shares.filter(state=ShareState.LOST).exists():
        raise KeyLost
    if old is None:
        raise GroupNotFound(field="group")
    rekey = _open(old)
    if rekey is not None and rekey.state not in _JOINABLE:
        raise RekeyRunning
    rekey = rekey or _begin(subject, old, reason, now=now)
    SealedRecord.objects.filter(id__any=removal.rows).delete()
    rekey.reasons = sorted({*rekey.reasons, reason.value})
    rekey.requesters = sorted({*rekey.requesters, actor.id})
    rekey.records += removal.records
    rekey.versions += len(removal.rows)
    rekey.save(update_fields=["reasons", "requesters", "records", "versions"])
    _intend(rekey, removal.rows, reason, now=now)
    _note("requested", rekey, reason, removal, actor=actor, now=now)
    failpoints.reach("vault.rekey.requested")
    return rekey


def _open(old: KeyShare) -> Rekey | None:
    rows = Rekey.objects.select_for_update(of=("self",)).select_related("old_share", "new_share")
    return rows.filter(old_share=old).exclude(state=RekeyState.DONE).first()


@requires_unit_of_work
def _begin(subject: Subject, old: KeyShare, reason: Reason, *, now: datetime) -> Rekey:
    """Commit to a new share before the key store is called, and to the steps that follow."""
    rekey = Rekey.objects.create(
        controller_id=subject.controller_id,
        subject=subject,
        group=old.group,
        old_share=old,
        new_share=_successor(old, now=now),
        reasons=[reason.value],
        requesters=[],
        state=RekeyState.PLANNED,
        requested_at=now,
    )
    payload = {"rekey_id": str(rekey.id)}
    effects.enqueue(kind="vault.rekey", key=str(rekey.id), payload=payload, now=now)
    return rekey


def _successor(old: KeyShare, *, now: datetime) -> KeyShare:
    return KeyShare.objects.create(
        kid=ids.new_random(),
        subject=old.subject,
        controller_id=old.controller_id,
        group=old.group,
        cluster=old.cluster,
        state=ShareState.SUCCESSOR,
        planned_at=now,
    )


@requires_unit_of_work
def _intend(rekey: Rekey, rows: Sequence[UUID], reason: str, *, now: datetime) -> None:
    """Announce the re-key and what it removed; one entry at least, more for many rows."""
    body = {
        "controller_id": str(rekey.controller_id),
        "subject_id": str(rekey.subject_id),
        "group": rekey.group,
        "cluster": rekey.new_share.cluster,
        "old_kid": rekey.old_share_id.hex,
        "new_kid": rekey.new_share_id.hex,
        "reason": str(reason),
    }
    journal.intend_many(
        kind="rekey",
        bodies=[
            {**body, "rows": [str(id_) for id_ in rows[start : start + _ROWS]]}
            for start in range(0, max(1, len(rows)), _ROWS)
        ],
        now=now,
    )


def _note(
    step: str, rekey: Rekey, reason: str, removal: _Removal, *, actor: Actor, now: datetime
) -> None:
    """By erasure id, never by trail: the key's destruction outlives the trail."""
    audit.record(
        action=f"vault.rekey.{step}",
        actor=actor,
        controller_id=rekey.controller_id,
        now=now,
        erasure_id=rekey.erasure_id,
        details={
            "reason": str(reason),
            "group": rekey.group,
            "records": removal.records,
            "versions": len(removal.rows),
        },
    )


def get(*, controller_id: UUID, rekey_id: UUID) -> Rekey:
    """The re-key as it stands. Raises RekeyNotFound, also when not yours."""
    found = Rekey.objects.filter(id=rekey_id, controller_id=controller_id).first()
    if found is None:
        raise RekeyNotFound
    return found


@requires_unit_of_work
def replace_successor(rekey: Rekey, *, now: datetime) -> None:
    """Begin again with another new share; the one there was is destroyed with the old one.

    For a new share that can never be used, or that has sealed what was removed since.
    """
    require_rekey_move(rekey.state, RekeyState.PLANNED)
    given_up = rekey.new_share
    resealing.discard(given_up)
    KeyShare.objects.filter(kid=given_up.kid, state=ShareState.SUCCESSOR).update(
        state=ShareState.RETIRED, retired_at=now
    )
    rekey.new_share = _successor(rekey.old_share, now=now)
    rekey.state, rekey.created_at = RekeyState.PLANNED, None
    rekey.save(update_fields=["new_share", "state", "created_at"])
    _intend(rekey, (), rekey.reasons[0], now=now)


@requires_unit_of_work
def replay(body: Mapping[str, Any], now: datetime) -> None:
    """Apply a journal entry of kind `rekey` to a database that has forgotten it; may be repeated.

    Removes the rows again. Where the old share is still in use, the re-key begins anew with
    another new share; the one of the entry is never used and is destroyed with the old one.
    """
    known = Subject.objects.select_for_update().filter(id=UUID(body["subject_id"]))
    subject = known.exclude(state=SubjectState.ERASED).first()
    if subject is None:
        return
    _remove_again(subject, [UUID(id_) for id_ in body["rows"]])
    new_kid = UUID(hex=body["new_kid"])
    if KeyShare.objects.filter(kid=new_kid).exists():
        return
    share = KeyShare.objects.create(
        kid=new_kid,
        subject=subject,
        controller_id=subject.controller_id,
        group=body["group"],
        cluster=body["cluster"],
        state=ShareState.RETIRED,
        planned_at=now,
        retired_at=now,
    )
    _join_erasure(subject, share)
    old = KeyShare.objects.filter(kid=UUID(hex=body["old_kid"]), subject=subject).first()
    if old is not None and subject.state == SubjectState.LIVE:
        _again(subject, old, body, now=now)


@requires_unit_of_work
def _join_erasure(subject: Subject, share: KeyShare) -> None:
    """An erasure that the backup has begun destroys what was made after the backup, too."""
    begun = Shredding.objects.filter(subject=subject, scope=Scope.SUBJECT)
    ShreddingShare.objects.bulk_create(
        ShreddingShare(shredding=row, share=share, was_live=False)
        for row in begun.filter(state__in=[*CANCELLABLE, ShreddingState.ORDERED])
    )


@requires_unit_of_work
def _remove_again(subject: Subject, row_ids: Collection[UUID]) -> None:
    """Delete the versions that these rows are of, in whatever share they are sealed here."""
    rows = SealedRecord.objects.filter(subject=subject)
    versions = set(rows.filter(id__any=list(row_ids)).values_list("record_id", "version"))
    of_records = rows.filter(record_id__any=[record for record, _ in versions])
    doomed = [
        id_
        for id_, record, version in of_records.values_list("id", "record_id", "version")
        if (record, version) in versions
    ]
    SealedRecord.objects.filter(id__any=doomed).delete()


@requires_unit_of_work
def _again(subject: Subject, old: KeyShare, body: Mapping[str, Any], *, now: datetime) -> None:
    if old.state == ShareState.SUCCESSOR:
        # An earlier re-key of this database is about to put `old` in use, and may have sealed for
        # it what this entry removes.
        rows = Rekey.objects.select_for_update(of=("self",)).select_related(
            "old_share", "new_share"
        )
        replace_successor(rows.get(new_share=old), now=now)
    elif old.state == ShareState.LIVE:
        running = _open(old)
        if running is None:
            rekey = _begin(subject, old, _reason(body), now=now)
            rekey.versions = len(body["rows"])
            rekey.save(update_fields=["versions"])
            _intend(rekey, (), body["reason"], now=now)
        elif body["rows"] and running.state not in _JOINABLE:
            replace_successor(running, now=now)


def _reason(body: Mapping[str, Any]) -> Reason:
    """A re-key for rotation came from elsewhere; it is restarted like one after a leak."""
    known = body["reason"] in Reason.values
    return Reason(body["reason"]) if known else Reason.LEAK
