"""Grants: the wrapped data key by which one purpose reads one category of one subject.

A ground (an opaque id: a consent record, an activation) is opened under the subject's lock;
grants are then made outside any transaction and inserted only while that ground is current.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from django.db import connection

from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.states import ShareState
from vault.errors import KeyLost, KeysChanging
from vault.models import Alias, KeyGrant, KeyShare, Subject
from vault.ports import GrantFailure, GrantToMake
from vault.services import gate, keys, purpose_keys
from vault.services.grounds import (
    Ground,
    Opening,
    Withdrawal,
    current_ground,
    current_grounds,
    end_ground,
    end_grounds,
    lock_subject,
    lock_subjects,
    open_ground,
    open_grounds,
    withdraw,
    withdraw_many,
)

__all__ = [
    "CategoryRef",
    "Ground",
    "IssueReport",
    "Opening",
    "Withdrawal",
    "current_ground",
    "current_grounds",
    "end_ground",
    "end_grounds",
    "issue",
    "lock_subject",
    "lock_subjects",
    "open_ground",
    "open_grounds",
    "withdraw",
    "withdraw_many",
]

_INSERT: Final = """
INSERT INTO vault_keygrant (data_key_id, purpose_id, subject_id, category_id, alias_id, share_id,
  ground, counter, wrapped)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[],
  %s::uuid[], %s::int[], %s::bytea[])
ON CONFLICT DO NOTHING"""


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


@no_open_transaction
def issue(
    *, grounds: Sequence[Ground], categories: Sequence[CategoryRef], now: datetime
) -> IssueReport:
    """Wrap the data keys of `categories` for the purpose of `grounds` (one purpose per call).

    Creates data keys that do not exist yet, so that consent may come before the first record.
    Grants that exist are left. Raises CustodianUnavailable; the call may be repeated. Raises
    KeyLost once all others have theirs when a key of some of the subjects is lost.
    """
    lost = _lost(grounds, categories)
    report = _issue_all([g for g in grounds if g.subject_id not in lost], categories, now=now)
    if lost:
        raise KeyLost
    return report


def _lost(grounds: Sequence[Ground], categories: Sequence[CategoryRef]) -> set[UUID]:
    groups = {category.group for category in categories}
    pairs = {(ground.subject_id, group) for ground in grounds for group in groups}
    return {subject for subject, _ in keys.lost(pairs)}


def _issue_all(
    grounds: Sequence[Ground], categories: Sequence[CategoryRef], *, now: datetime
) -> IssueReport:
    issued = stale = 0
    for _ in range(keys.ROUNDS):
        if not grounds or not categories:
            return IssueReport(issued, stale)
        done, moved = _issue(grounds, categories, now=now)
        issued, stale = issued + done.issued, stale + done.stale
        grounds = [ground for ground in grounds if ground.subject_id in moved]
    raise KeysChanging


def _issue(
    grounds: Sequence[Ground], categories: Sequence[CategoryRef], *, now: datetime
) -> tuple[IssueReport, set[UUID]]:
    """One round, and the subjects of which a re-key has replaced a key meanwhile."""
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
            subject_id__any={want.subject_id for want in wanted},
            share__state=ShareState.LIVE,
        ).values_list("subject_id", "category_id")
    )
    return [want for want in wanted if want.slot not in have]


_Draft: TypeAlias = tuple[Ground, keys.Want, keys.OpenKey, bytes]


def _insert(drafts: Sequence[_Draft]) -> tuple[IssueReport, set[UUID]]:
    """Insert grants whose subject, share and ground are still current under lock.

    Those of which only the share is not are counted nowhere: their subjects are answered.
    """
    with unit_of_work():
        gate.require_open()
        subjects = set(
            Subject.objects.select_for_update(no_key=True)
            .filter(id__any={want.subject_id for _, want, _, _ in drafts}, state="live")
            .order_by("id")
            .values_list("id", flat=True)
        )
        shares = set(
            KeyShare.objects.filter(subject_id__any=subjects, state=ShareState.LIVE).values_list(
                "kid", flat=True
            )
        )
        aliases = set(
            Alias.objects.filter(id__any={ground.alias_id for ground, _, _, _ in drafts})
            .values_list("id", "ground", "counter")
        )  # fmt: skip
        current = [
            draft
            for draft in drafts
            if draft[1].subject_id in subjects
            and (draft[0].alias_id, draft[0].ground, draft[0].counter) in aliases
        ]
        kept = [draft for draft in current if UUID(bytes=draft[2].share.kid) in shares]
        _write(kept)
    moved = {
        want.subject_id for _, want, key, _ in current if UUID(bytes=key.share.kid) not in shares
    }
    return IssueReport(len(kept), len(drafts) - len(current)), moved


@requires_unit_of_work
def _write(drafts: Sequence[_Draft]) -> None:
    """One statement for all, so that the late writers' trigger looks once."""
    rows = [
        (key.data_key_id, ground.purpose_id, want.subject_id, want.category_id, ground.alias_id,
         UUID(bytes=key.share.kid), ground.ground, ground.counter, wrapped)
        for ground, want, key, wrapped in drafts
    ]  # fmt: skip
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)])
