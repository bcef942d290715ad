"""Restriction (Article 18) and objection (Article 21): no page has the subject while one stands.

A restriction keeps grants and data as they are; lifting it gives them back. Each covers one
purpose of a subject, or all of them.
"""

from datetime import datetime, timedelta
from uuid import UUID

from core import audit, ids
from core.actors import Actor
from core.unit_of_work import requires_unit_of_work
from vault.models import Alias, Removal, Subject
from vault.services import journal, removals
from vault.services.grants import lock_subject


@requires_unit_of_work
def restrict(
    *,
    subject_id: UUID,
    purpose_id: UUID | None,
    decided_at: datetime,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Leave the subject out of every page of the purpose (None: of all) from this commit on.

    `reason` is a code. Raises SubjectNotFound, SubjectErased.
    """
    subject = lock_subject(subject_id)
    row = _row(subject, purpose_id, now=now)
    decided_at = _after(row.lifted_at, decided_at, now=now)
    _set(subject, row, decided_at=decided_at, now=now)
    _intend("restriction", subject, purpose_id, decided_at, reason=reason, now=now)
    _record("restricted", subject, reason, actor=actor, now=now)


@requires_unit_of_work
def lift(
    *,
    subject_id: UUID,
    purpose_id: UUID | None,
    decided_at: datetime,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    """End the restriction; grants that stand are read again. Raises SubjectNotFound, SubjectErased.

    One of the whole subject and one of a single purpose are lifted each by itself.
    """
    subject = lock_subject(subject_id)
    row = _row(subject, purpose_id, now=now)
    decided_at = _after(row.restricted_at, decided_at, now=now)
    _lift(row, decided_at=decided_at)
    _intend("restriction-lifted", subject, purpose_id, decided_at, reason=reason, now=now)
    _record("restriction-lifted", subject, reason, actor=actor, now=now)


def _after(known: datetime | None, decided_at: datetime, *, now: datetime) -> datetime:
    """What is decided by this very request comes after all that is known, whatever the clocks say.

    What was decided before and is told late keeps its time: a later decision stands.
    """
    if decided_at < now or known is None or known < decided_at:
        return decided_at
    return known + timedelta(microseconds=1)


@requires_unit_of_work
def set_restriction(
    subject: Subject, purpose_id: UUID | None, *, decided_at: datetime, now: datetime
) -> None:
    """Restrict a locked subject again, as a replay does, unless a later lifting is known."""
    _set(subject, _row(subject, purpose_id, now=now), decided_at=decided_at, now=now)


@requires_unit_of_work
def _set(subject: Subject, row: Subject | Alias, *, decided_at: datetime, now: datetime) -> None:
    if row.lifted_at is not None and row.lifted_at >= decided_at:
        return
    if row.restricted_at is None:
        _announce(subject, row, now=now)
    row.restricted_at = max(decided_at, row.restricted_at or decided_at)
    row.save(update_fields=["restricted_at"])


@requires_unit_of_work
def lift_restriction(
    subject: Subject, purpose_id: UUID | None, *, decided_at: datetime, now: datetime
) -> None:
    """Lift again, as a replay does, what was decided up to `decided_at`."""
    _lift(_row(subject, purpose_id, now=now), decided_at=decided_at)


@requires_unit_of_work
def _lift(row: Subject | Alias, *, decided_at: datetime) -> None:
    row.lifted_at = max(decided_at, row.lifted_at or decided_at)
    if row.restricted_at is not None and row.restricted_at <= row.lifted_at:
        row.restricted_at = None
    row.save(update_fields=["lifted_at", "restricted_at"])


@requires_unit_of_work
def _row(subject: Subject, purpose_id: UUID | None, *, now: datetime) -> Subject | Alias:
    """Where the restriction is kept: with the subject, or with its alias for one purpose."""
    if purpose_id is None:
        return subject
    alias, _ = Alias.objects.get_or_create(
        subject=subject,
        purpose_id=purpose_id,
        defaults={"id": ids.new_random(), "changed_at": now},
    )
    return alias


def _announce(subject: Subject, row: Subject | Alias, *, now: datetime) -> None:
    aliases = Alias.objects.filter(subject=subject, ground__isnull=False)
    if isinstance(row, Alias):
        aliases = aliases.filter(id=row.id)
    gone = list(aliases.values_list("purpose_id", "id"))
    removals.keep(gone, reason=Removal.Reason.RESTRICTED, now=now)


def _intend(
    kind: str,
    subject: Subject,
    purpose_id: UUID | None,
    decided_at: datetime,
    *,
    reason: str,
    now: datetime,
) -> None:
    body = journal.pair(subject.controller_id, subject.id, purpose_id, decided_at, reason=reason)
    journal.intend(kind=kind, body=body, now=now)


def _record(step: str, subject: Subject, reason: str, *, actor: Actor, now: datetime) -> None:
    audit.record(
        action=f"vault.subject.{step}",
        actor=actor,
        controller_id=subject.controller_id,
        now=now,
        trail_id=subject.trail_id,
        details={"ground": reason},
    )
