"""What one journal entry does to a database that has forgotten it. Each may be repeated.

Destructions are only brought to ORDERED here, with their intent noted as journaled: the erasure
machine does the rest.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.conf import settings

from core import audit, canonical, ids
from core.logging import get_logger
from core.unit_of_work import requires_unit_of_work
from vault import runtime
from vault.domain.journal import Entry, EntryKind
from vault.domain.states import CANCELLABLE, Scope, ShareState, ShreddingState, SubjectState
from vault.models import (
    Alias,
    Destruction,
    KeyShare,
    Removal,
    Shredding,
    ShreddingShare,
    ShredLock,
    Subject,
    SuppressionTag,
)
from vault.ports import JournalReceipt, Revoked
from vault.services import (
    grants,
    group_shredding,
    journal,
    locks,
    rekeying,
    restrictions,
    shredding,
)

Body: TypeAlias = Mapping[str, Any]

logger = get_logger(__name__)


@requires_unit_of_work
def apply(entry: Entry, *, now: datetime) -> None:
    """Make the database know what the entry says."""
    _APPLY[entry.kind](entry, now)


def _destruction(entry: Entry, now: datetime) -> None:
    receipt = JournalReceipt(entry.journal_id, entry.sequence, entry.hash(), entry.ordinal)
    Destruction.objects.get_or_create(
        journal_id=entry.journal_id,
        ordinal=entry.ordinal,
        defaults={"sequence": entry.sequence},
    )
    for item in entry.body["items"]:
        _erasure(entry, item, receipt, now=now)


def _erasure(entry: Entry, item: Body, receipt: JournalReceipt, *, now: datetime) -> None:
    erasure_id, controller_id = UUID(item["erasure_id"]), UUID(entry.body["controller_id"])
    _suppress(item, controller_id, entry.at)
    noted = journal.noted(receipt)
    known = Shredding.objects.select_for_update().filter(erasure_id=erasure_id).first()
    if known is not None and known.state == ShreddingState.CANCELLED:
        known.delete()  # called off since the restore, when nobody could know that it was ordered
        known = None
    if known is None and item["scope"] == Scope.ORPHANS:
        group_shredding.lose_again(item, at=entry.at)
    elif known is None:
        is_whole = item["scope"] == Scope.SUBJECT
        again = _fenced_again if is_whole else group_shredding.fence_again
        known = again(item, noted=noted, at=entry.at)
    if known is None:
        return  # it came after the backup: only the key store still has to forget it
    known.journal, known.held_at = noted, None
    known.save(update_fields=["journal", "held_at"])
    _tell_locks(known, now=now)
    if known.state in CANCELLABLE:
        if known.state == ShreddingState.FENCED:
            shredding.move([known], ShreddingState.DRAINED, now=now)
        shredding.move([known], ShreddingState.ORDERED, now=now)


@requires_unit_of_work
def _tell_locks(known: Shredding, *, now: datetime) -> None:
    """A lock that was placed after the order, of which the restored database knew nothing."""
    if known.state in CANCELLABLE and locks.blocked(erasure_ids=[known.erasure_id]):
        logger.critical("shredding.locked_too_late", erasure=str(known.erasure_id))
        audit.record(
            action="vault.lock.too-late",
            actor=shredding.ERASER,
            controller_id=known.controller_id,
            now=now,
            erasure_id=known.erasure_id,
        )


def _fenced_again(item: Body, *, noted: Mapping[str, Any], at: datetime) -> Shredding | None:
    """Fence the subject that holds these shares, as it was fenced before the restore."""
    erasure_id = UUID(item["erasure_id"])
    kids = [UUID(hex=kid) for kid in item["kids"]]
    owner = KeyShare.objects.filter(kid__in=kids, subject__isnull=False).first()
    if owner is None or owner.subject_id is None:
        return None
    subject = Subject.objects.select_for_update().get(id=owner.subject_id)
    others = Shredding.objects.filter(subject=subject, state__in=list(CANCELLABLE))
    others.update(state=ShreddingState.CANCELLED, cancelled_at=at)
    made = Shredding.objects.create(
        erasure_id=erasure_id,
        controller_id=owner.controller_id,
        subject=subject,
        state=ShreddingState.FENCED,
        fenced_at=at,
        drain_until=at,
        journal=noted,
    )
    shares = KeyShare.objects.filter(subject=subject).exclude(
        state__in=[ShareState.DESTROYED, ShareState.ABSENT]
    )
    ShreddingShare.objects.bulk_create(
        ShreddingShare(shredding=made, share=share, was_live=False) for share in shares
    )
    shares.update(state=ShareState.RETIRED, retired_at=at)
    Subject.objects.filter(id=subject.id).update(state=SubjectState.FENCED, erasure_id=erasure_id)
    return made


def _suppress(item: Body, controller_id: UUID, at: datetime) -> None:
    expires_at = at + timedelta(days=settings.LETHE_SUPPRESSION_DAYS)
    erasure_id = UUID(item["erasure_id"])
    held = {
        (row.kind, bytes(row.tag), row.source_id)
        for row in SuppressionTag.objects.filter(erasure_id=erasure_id)
    }
    wanted = {
        (tag["kind"], bytes.fromhex(tag["tag"]), UUID(tag["source_id"])) for tag in item["tags"]
    }
    SuppressionTag.objects.bulk_create(
        SuppressionTag(
            controller_id=controller_id,
            kind=kind,
            tag=tag,
            source_id=source_id,
            erasure_id=erasure_id,
            expires_at=expires_at,
        )
        for kind, tag, source_id in sorted(wanted - held)
    )


def _subject(body: Body) -> Subject | None:
    """The living subject of a pair, locked; None when the restored database has none."""
    return (
        Subject.objects.select_for_update()
        .filter(id=UUID(body["subject_id"]), state=SubjectState.LIVE)
        .first()
    )


def _pair(body: Body) -> tuple[UUID | None, datetime]:
    purpose = body.get("purpose_id")
    return (UUID(purpose) if purpose else None), canonical.parse_instant(body["decided_at"])


def _revocation(entry: Entry, now: datetime) -> None:
    """End every ground of the pair decided up to then, and bar those that may still come in."""
    subject = _subject(entry.body)
    purpose_id, decided_at = _pair(entry.body)
    if subject is None or purpose_id is None:
        return
    alias, _ = Alias.objects.get_or_create(
        subject=subject,
        purpose_id=purpose_id,
        defaults={"id": ids.new_random(), "changed_at": now},
    )
    if alias.ground is not None and (alias.ground_at or alias.changed_at) > decided_at:
        return  # consent that was renewed after this withdrawal
    if alias.ground is None and alias.revoked_at is not None and alias.revoked_at >= decided_at:
        return
    reason = Removal.Reason(entry.body.get("reason", Removal.Reason.WITHDRAWN))
    grants.end_ground(alias, decided_at=decided_at, reason=reason, now=now)
    if subject.trail_id is not None:
        told = Revoked(subject.controller_id, subject.trail_id, purpose_id, decided_at)
        for participant in runtime.participants():
            participant.replayed(revocations=[told], now=now)


def _restriction(entry: Entry, now: datetime) -> None:
    subject = _subject(entry.body)
    if subject is not None:
        purpose_id, decided_at = _pair(entry.body)
        restrictions.set_restriction(subject, purpose_id, decided_at=decided_at, now=now)


def _restriction_lifted(entry: Entry, now: datetime) -> None:
    subject = _subject(entry.body)
    if subject is not None:
        purpose_id, decided_at = _pair(entry.body)
        restrictions.lift_restriction(subject, purpose_id, decided_at=decided_at, now=now)


def _lock(entry: Entry, _now: datetime) -> None:
    body = entry.body
    ShredLock.objects.get_or_create(
        id=UUID(body["lock_id"]),
        defaults={
            "controller_id": UUID(body["controller_id"]),
            "scope": body["scope"],
            "scope_id": UUID(body["scope_id"]),
            "ground": body["ground"],
            "placed_by": body["placed_by"],
            "placed_at": canonical.parse_instant(body["placed_at"]),
        },
    )


def _lock_lifted(entry: Entry, _now: datetime) -> None:
    body = entry.body
    ShredLock.objects.filter(id=UUID(body["lock_id"]), lifted_at=None).update(
        lifted_at=canonical.parse_instant(body["lifted_at"]), lifted_by=body["lifted_by"]
    )


def _rekey(entry: Entry, now: datetime) -> None:
    rekeying.replay(entry.body, now)


def _nothing(_entry: Entry, _now: datetime) -> None:
    """The entry is for whoever reads the journal; no row depends on it."""


_APPLY: Final[Mapping[EntryKind, Callable[[Entry, datetime], None]]] = {
    EntryKind.GENESIS: _nothing,
    EntryKind.DESTRUCTION: _destruction,
    EntryKind.REVOCATION: _revocation,
    EntryKind.RESTRICTION: _restriction,
    EntryKind.RESTRICTION_LIFTED: _restriction_lifted,
    EntryKind.LOCK: _lock,
    EntryKind.LOCK_LIFTED: _lock_lifted,
    EntryKind.REKEY: _rekey,
    EntryKind.RELEASED: _nothing,
}
