"""Grounds: why a purpose may read a subject, opened and withdrawn under the subjects' locks.

Each act has a form for one and a form for many; the form for many takes the locks in one order
and makes a fixed number of statements.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from django.db import connection

from core import ids
from core.unit_of_work import requires_unit_of_work
from vault.domain.states import SubjectState
from vault.errors import SubjectErased, SubjectNotFound
from vault.models import Alias, KeyGrant, Removal, Subject
from vault.services import journal, removals

Pair: TypeAlias = tuple[UUID, UUID]
Refusal: TypeAlias = SubjectNotFound | SubjectErased

_OPEN: Final = """
UPDATE vault_alias a SET ground = o.ground, ground_at = o.decided_at, changed_at = %s
FROM unnest(%s::uuid[], %s::uuid[], %s::timestamptz[]) AS o (id, ground, decided_at)
WHERE a.id = o.id"""
_END: Final = """
UPDATE vault_alias a SET ground = NULL, ground_at = NULL, counter = a.counter + 1,
  changed_at = %s, revoked_at = greatest(a.revoked_at, e.decided_at)
FROM unnest(%s::uuid[], %s::timestamptz[]) AS e (id, decided_at)
WHERE a.id = e.id"""


@dataclass(frozen=True, slots=True)
class Ground:
    """Why a purpose may read a subject, as it stood when it was opened."""

    subject_id: UUID
    purpose_id: UUID
    alias_id: UUID
    ground: UUID
    counter: int


@dataclass(frozen=True, slots=True)
class Opening:
    """A ground to open: an opaque id, and when it was decided."""

    subject_id: UUID
    purpose_id: UUID
    ground: UUID
    decided_at: datetime

    @property
    def pair(self) -> Pair:
        return self.subject_id, self.purpose_id


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A purpose that may no longer read a subject, and when that was decided."""

    subject_id: UUID
    purpose_id: UUID
    decided_at: datetime

    @property
    def pair(self) -> Pair:
        return self.subject_id, self.purpose_id


@requires_unit_of_work
def lock_subject(subject_id: UUID) -> Subject:
    """The subject's row, locked until commit. Raises SubjectNotFound, SubjectErased."""
    subject = Subject.objects.select_for_update().filter(id=subject_id).first()
    if subject is None:
        raise SubjectNotFound
    if subject.state != SubjectState.LIVE:
        raise SubjectErased
    return subject


@requires_unit_of_work
def lock_subjects(subject_ids: Collection[UUID]) -> dict[UUID, UUID | Refusal]:
    """Lock the subjects until commit, in one order; each one's controller, or why not."""
    rows = (
        Subject.objects.select_for_update()
        .filter(id__any=subject_ids)
        .order_by("id")
        .values_list("id", "state", "controller_id")
    )
    found: dict[UUID, UUID | Refusal] = {
        id_: controller_id if state == SubjectState.LIVE else SubjectErased()
        for id_, state, controller_id in rows
    }
    return {id_: found.get(id_, SubjectNotFound()) for id_ in subject_ids}


@requires_unit_of_work
def open_ground(
    *,
    subject_id: UUID,
    purpose_id: UUID,
    ground: UUID,
    now: datetime,
    decided_at: datetime | None = None,
) -> Ground | None:
    """Make `ground` the current one of subject and purpose; earlier grants stop matching.

    `decided_at` is when the ground was decided (default: now). None, and nothing changed, when
    a withdrawal decided later is known: the restored queue of a source must not renew what was
    withdrawn since. Raises SubjectNotFound, SubjectErased.
    """
    opening = Opening(subject_id, purpose_id, ground, decided_at or now)
    (opened,) = open_grounds(openings=[opening], now=now)
    if isinstance(opened, SubjectNotFound | SubjectErased):
        raise opened
    return opened


@requires_unit_of_work
def open_grounds(*, openings: Sequence[Opening], now: datetime) -> list[Ground | Refusal | None]:
    """As `open_ground` for each; what is refused stands as its error in its place.

    Subject and purpose are different in each of `openings`.
    """
    owners = lock_subjects({opening.subject_id for opening in openings})
    live = [opening for opening in openings if isinstance(owners[opening.subject_id], UUID)]
    held = _aliases(opening.pair for opening in live)
    fresh = {opening.pair: _new(opening, now) for opening in live if opening.pair not in held}
    Alias.objects.bulk_create(fresh.values(), batch_size=1000)
    changed = [
        (held[opening.pair], opening)
        for opening in live
        if opening.pair in held and _is_newer(opening, held[opening.pair])
    ]
    _change(changed, now=now)
    aliases = held | fresh
    return [
        opened
        if isinstance(opened := owners[opening.subject_id], SubjectNotFound | SubjectErased)
        else _in_force(opening, aliases[opening.pair])
        for opening in openings
    ]


def _new(opening: Opening, now: datetime) -> Alias:
    return Alias(
        id=ids.new_random(),
        subject_id=opening.subject_id,
        purpose_id=opening.purpose_id,
        ground=opening.ground,
        ground_at=opening.decided_at,
        changed_at=now,
    )


def _is_newer(opening: Opening, alias: Alias) -> bool:
    """Whether the opening changes the alias: a withdrawal decided later stands against it."""
    is_revoked = alias.revoked_at is not None and opening.decided_at < alias.revoked_at
    return not is_revoked and alias.ground != opening.ground


@requires_unit_of_work
def _change(changed: Sequence[tuple[Alias, Opening]], *, now: datetime) -> None:
    if not changed:
        return
    KeyGrant.objects.filter(alias_id__any=[alias.id for alias, _ in changed]).delete()
    with connection.cursor() as cursor:
        cursor.execute(
            _OPEN,
            [
                now,
                [alias.id for alias, _ in changed],
                [opening.ground for _, opening in changed],
                [opening.decided_at for _, opening in changed],
            ],
        )
    for alias, opening in changed:
        alias.ground = opening.ground


def _in_force(opening: Opening, alias: Alias) -> Ground | None:
    if alias.ground != opening.ground:
        return None
    if alias.revoked_at is not None and opening.decided_at < alias.revoked_at:
        return None
    return Ground(*opening.pair, alias.id, opening.ground, alias.counter)


def _aliases(pairs: Iterable[Pair]) -> dict[Pair, Alias]:
    wanted = set(pairs)
    rows = Alias.objects.filter(
        subject_id__any={subject for subject, _ in wanted},
        purpose_id__any={purpose for _, purpose in wanted},
    )
    found = {(row.subject_id, row.purpose_id): row for row in rows}
    return {pair: row for pair, row in found.items() if pair in wanted}


def current_grounds(pairs: Iterable[Pair]) -> dict[Pair, Ground]:
    """The ground in force of each (subject id, purpose id) that has one; nothing is locked."""
    return {
        pair: Ground(*pair, alias.id, alias.ground, alias.counter)
        for pair, alias in _aliases(pairs).items()
        if alias.ground is not None
    }


def current_ground(*, subject_id: UUID, purpose_id: UUID) -> Ground | None:
    """The ground in force now, or None; for finishing what a crash interrupted."""
    return current_grounds([(subject_id, purpose_id)]).get((subject_id, purpose_id))


@requires_unit_of_work
def withdraw(
    *,
    subject_id: UUID,
    purpose_id: UUID,
    reason: Removal.Reason,
    now: datetime,
    decided_at: datetime | None = None,
) -> bool:
    """Delete the purpose's grants in this transaction; True when there was a ground to withdraw.

    No page selected after the commit has the subject. The journal will know of the decision
    in any case: a restored database may hold a ground that this one has not. `decided_at` is
    when the person decided (default: now). Raises SubjectNotFound, SubjectErased.
    """
    wanted = Withdrawal(subject_id, purpose_id, decided_at or now)
    (done,) = withdraw_many(withdrawals=[wanted], reason=reason, now=now)
    if not isinstance(done, bool):
        raise done
    return done


@requires_unit_of_work
def withdraw_many(
    *, withdrawals: Sequence[Withdrawal], reason: Removal.Reason, now: datetime
) -> list[bool | Refusal]:
    """As `withdraw` for each; what is refused stands as its error in its place.

    Subject and purpose are different in each of `withdrawals`.
    """
    owners = lock_subjects({one.subject_id for one in withdrawals})
    live = [one for one in withdrawals if isinstance(owners[one.subject_id], UUID)]
    journal.intend_many(
        kind="revocation",
        bodies=[
            journal.pair(owner, *one.pair, one.decided_at, reason=reason.value)
            for one in live
            if isinstance(owner := owners[one.subject_id], UUID)
        ],
        now=now,
    )
    held = _aliases(one.pair for one in live)
    ended = [
        (held[one.pair], one.decided_at)
        for one in live
        if one.pair in held and held[one.pair].ground is not None
    ]
    end_grounds(ended, reason=reason, now=now)
    done = {(alias.subject_id, alias.purpose_id) for alias, _ in ended}
    return [
        owner
        if isinstance(owner := owners[one.subject_id], SubjectNotFound | SubjectErased)
        else one.pair in done
        for one in withdrawals
    ]


@requires_unit_of_work
def end_ground(
    alias: Alias, *, decided_at: datetime, reason: Removal.Reason, now: datetime
) -> None:
    """As `end_grounds` for one."""
    end_grounds([(alias, decided_at)], reason=reason, now=now)


@requires_unit_of_work
def end_grounds(
    ended: Sequence[tuple[Alias, datetime]], *, reason: Removal.Reason, now: datetime
) -> None:
    """Take the ground off aliases of locked subjects, each as decided at its time.

    The one place where a withdrawal is written; a replay comes here without a new entry.
    """
    if not ended:
        return
    KeyGrant.objects.filter(alias_id__any=[alias.id for alias, _ in ended]).delete()
    gone = [(alias.purpose_id, alias.id) for alias, _ in ended if alias.ground is not None]
    removals.keep(gone, reason=reason, now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            _END, [now, [alias.id for alias, _ in ended], [decided for _, decided in ended]]
        )
