"""Grants: the wrapped data key by which one purpose reads one category of one subject.

A ground (an opaque id: a consent record, an activation) is opened under the subject's lock;
grants are then made outside any transaction and inserted only while that ground is current.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from core import ids
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.states import ShareState, SubjectState
from vault.errors import SubjectErased, SubjectNotFound
from vault.models import Alias, KeyGrant, KeyShare, Removal, Subject
from vault.ports import GrantFailure, GrantToMake
from vault.services import gate, journal, keys, purpose_keys, removals


@dataclass(frozen=True, slots=True)
class Ground:
    """Why a purpose may read a subject, as it stood when it was opened."""

    subject_id: UUID
    purpose_id: UUID
    alias_id: UUID
    ground: UUID
    counter: int


@dataclass(frozen=True, slots=True)
class CategoryRef:
    """A category and the key group its data lives and dies with."""

    category_id: UUID
    group: str


@dataclass(frozen=True, slots=True)
class IssueReport:
    """How many grants were made, and how many subjects were no longer to be granted."""

    issued: int
    stale: int


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
    decided_at = decided_at or now
    lock_subject(subject_id)
    alias, _ = Alias.objects.get_or_create(
        subject_id=subject_id,
        purpose_id=purpose_id,
        defaults={"id": ids.new_random(), "changed_at": now},
    )
    if alias.revoked_at is not None and decided_at < alias.revoked_at:
        return None
    if alias.ground != ground:
        KeyGrant.objects.filter(alias=alias).delete()
        alias.ground, alias.ground_at, alias.changed_at = ground, decided_at, now
        alias.save(update_fields=["ground", "ground_at", "changed_at"])
    return Ground(subject_id, purpose_id, alias.id, ground, alias.counter)


def current_ground(*, subject_id: UUID, purpose_id: UUID) -> Ground | None:
    """The ground in force now, or None; for finishing what a crash interrupted."""
    alias = Alias.objects.filter(
        subject_id=subject_id, purpose_id=purpose_id, ground__isnull=False
    ).first()
    if alias is None or alias.ground is None:
        return None
    return Ground(subject_id, purpose_id, alias.id, alias.ground, alias.counter)


@no_open_transaction
def issue(
    *, grounds: Sequence[Ground], categories: Sequence[CategoryRef], now: datetime
) -> IssueReport:
    """Wrap the data keys of `categories` for the purpose of `grounds` (one purpose per call).

    Creates data keys that do not exist yet, so that consent may come before the first record.
    Grants that exist are left. Raises CustodianUnavailable; the call may be repeated.
    """
    if not grounds or not categories:
        return IssueReport(0, 0)
    (purpose_id,) = {ground.purpose_id for ground in grounds}
    wrapping_key = purpose_keys.wrapping_key(purpose_id)
    wanted = [
        keys.Want(ground.subject_id, category.category_id, category.group)
        for ground in grounds
        for category in categories
    ]
    opened = keys.open_data_keys(wanted=_without_grant(wanted, purpose_id), now=now)
    by_subject: dict[UUID, list[keys.Want]] = defaultdict(list)
    for want in {want.slot: want for want in wanted}.values():
        by_subject[want.subject_id].append(want)
    slots = [
        (ground, want)
        for ground in grounds
        for want in by_subject[ground.subject_id]
        if want.slot in opened
    ]
    made = runtime.custodian().make_grants(
        [
            GrantToMake(opened[want.slot].share, wrapping_key, opened[want.slot].key)
            for _, want in slots
        ]
    )
    drafts = []
    for (ground, want), wrapped in zip(slots, made, strict=True):
        if isinstance(wrapped, bytes):
            drafts.append((ground, want, opened[want.slot], wrapped))
        elif wrapped is not GrantFailure.SHARE_DESTROYED:
            raise keys.failure(wrapped)
    return _insert(drafts)


def _without_grant(wanted: Sequence[keys.Want], purpose_id: UUID) -> list[keys.Want]:
    have = set(
        KeyGrant.objects.filter(
            purpose_id=purpose_id,
            subject__in={want.subject_id for want in wanted},
            share__state=ShareState.LIVE,
        ).values_list("subject_id", "category_id")
    )
    return [want for want in wanted if want.slot not in have]


_Draft: TypeAlias = tuple[Ground, keys.Want, keys.OpenKey, bytes]


def _insert(drafts: Sequence[_Draft]) -> IssueReport:
    """Insert grants whose subject, share and ground are still current under lock."""
    with unit_of_work():
        gate.require_open()
        subjects = set(
            Subject.objects.select_for_update(no_key=True)
            .filter(id__in={want.subject_id for _, want, _, _ in drafts}, state="live")
            .order_by("id")
            .values_list("id", flat=True)
        )
        shares = set(
            KeyShare.objects.filter(subject__in=subjects, state=ShareState.LIVE).values_list(
                "kid", flat=True
            )
        )
        aliases = set(
            Alias.objects.filter(id__in={ground.alias_id for ground, _, _, _ in drafts})
            .values_list("id", "ground", "counter")
        )  # fmt: skip
        kept = [
            draft
            for draft in drafts
            if draft[1].subject_id in subjects
            and UUID(bytes=draft[2].share.kid) in shares
            and (draft[0].alias_id, draft[0].ground, draft[0].counter) in aliases
        ]
        KeyGrant.objects.bulk_create(
            (_grant(*draft) for draft in kept), ignore_conflicts=True, batch_size=1000
        )
    return IssueReport(len(kept), len(drafts) - len(kept))


def _grant(ground: Ground, want: keys.Want, key: keys.OpenKey, wrapped: bytes) -> KeyGrant:
    return KeyGrant(
        data_key_id=key.data_key_id,
        purpose_id=ground.purpose_id,
        subject_id=want.subject_id,
        category_id=want.category_id,
        alias_id=ground.alias_id,
        share_id=UUID(bytes=key.share.kid),
        ground=ground.ground,
        counter=ground.counter,
        wrapped=wrapped,
    )


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

    The next page of any stream no longer has the subject. The journal will know of the decision
    in any case: a restored database may hold a ground that this one has not. `decided_at` is
    when the person decided (default: now). Raises SubjectNotFound, SubjectErased.
    """
    controller_id = lock_subject(subject_id).controller_id
    decided_at = decided_at or now
    journal.intend(
        kind="revocation",
        body=journal.pair(controller_id, subject_id, purpose_id, decided_at, reason=reason.value),
        now=now,
    )
    alias = Alias.objects.filter(subject_id=subject_id, purpose_id=purpose_id).first()
    if alias is None or alias.ground is None:
        return False
    end_ground(alias, decided_at=decided_at, reason=reason, now=now)
    return True


@requires_unit_of_work
def end_ground(
    alias: Alias, *, decided_at: datetime, reason: Removal.Reason, now: datetime
) -> None:
    """Take the ground off an alias of a locked subject; a replay does it without a new entry."""
    KeyGrant.objects.filter(alias=alias).delete()
    if alias.ground is not None:
        removals.keep([(alias.purpose_id, alias.id)], reason=reason, now=now)
    alias.ground, alias.ground_at = None, None
    alias.counter, alias.changed_at = alias.counter + 1, now
    alias.revoked_at = max(decided_at, alias.revoked_at or decided_at)
    alias.save(update_fields=["ground", "ground_at", "counter", "changed_at", "revoked_at"])
