"""Key shares and data keys of subjects: planned in the database first, then in the key store.

A key share row is committed PLANNED before the key store is called and LIVE after, so a crash
leaves a row to adopt, never a share that nobody knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from core import failpoints, ids
from core.copying import copy_in
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.envelope import new_key
from vault.domain.states import CANCELLABLE, Scope, ShareState
from vault.errors import CustodianRefused, KeyLost, KeysChanging
from vault.models import CustodyGrant, DataKey, KeyShare, Shredding, Subject
from vault.ports import FreshShare, GrantFailure, GrantToMake, GrantToOpen, ShareRef
from vault.ports import ShareState as StoreState
from vault.services import gate, key_cache

CUSTODY = "custody"
#: How often keys are opened anew when others have replaced them meanwhile.
ROUNDS = 4
_HELD = (
    "subject_id", "data_key__category_id", "data_key_id", "data_key__share__kid",
    "data_key__share__controller_id", "data_key__share__cluster", "wrapped",
)  # fmt: skip
_DATA_KEY = {
    "id": "uuid", "subject_id": "uuid", "category_id": "uuid", "share_id": "uuid",
    "created_at": "timestamptz",
}  # fmt: skip
_CUSTODY_GRANT = {"data_key_id": "uuid", "subject_id": "uuid", "wrapped": "bytea"}

#: What the key store lacks though nobody destroyed it.
_LOST = frozenset({GrantFailure.SHARE_ABSENT, GrantFailure.KEY_ABSENT, GrantFailure.VERSION_ABSENT})

Slot: TypeAlias = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class Want:
    """A data key that is wanted: of this subject, for this category, in this key group."""

    subject_id: UUID
    category_id: UUID
    group: str

    @property
    def slot(self) -> Slot:
        return self.subject_id, self.category_id


@dataclass(frozen=True, slots=True)
class OpenKey:
    """An opened data key; lives in memory for one call."""

    data_key_id: UUID
    share: ShareRef
    key: bytes = field(repr=False)


def share_ref(share: KeyShare) -> ShareRef:
    """How the key store is asked for this share."""
    return ShareRef(share.kid.bytes, share.controller_id, share.cluster)


@no_open_transaction
def open_data_keys(*, wanted: Sequence[Want], now: datetime) -> dict[Slot, OpenKey]:
    """Open the data key of each slot through custody, creating what does not exist yet.

    Slots of subjects that are not live are left out of the answer. Raises
    RestoreReplayRequired, CustodianUnavailable, and KeyLost when a live share is missing from
    the key store.
    """
    gate.require_open()
    distinct = {want.slot: want for want in wanted}
    opened: dict[Slot, OpenKey] = {}
    for _ in range(ROUNDS):
        missing = [want for slot, want in distinct.items() if slot not in opened]
        if not missing:
            return opened
        opened |= _open_existing(missing)
        missing = [want for want in missing if want.slot not in opened]
        if missing:
            opened |= _create(missing, now=now)
    left = {subject for subject, _ in distinct.keys() - opened.keys()}
    if Subject.objects.filter(id__in=left, state="live").exists():
        raise KeysChanging
    return opened


@no_open_transaction
def open_kept_keys(*, wanted: Sequence[Want]) -> dict[Slot, OpenKey]:
    """As `open_data_keys`, of those that exist; no other is made."""
    gate.require_open()
    return _open_existing(wanted)


def _open_existing(wanted: Sequence[Want]) -> dict[Slot, OpenKey]:
    slots = {want.slot for want in wanted}
    held = CustodyGrant.objects.filter(
        subject_id__any={subject for subject, _ in slots},
        data_key__category_id__any={category for _, category in slots},
        data_key__share__state=ShareState.LIVE,
    ).values_list(*_HELD)
    rows = [
        ((subject, category), data_key, ShareRef(kid.bytes, controller, cluster), bytes(wrapped))
        for subject, category, data_key, kid, controller, cluster, wrapped in held
        if (subject, category) in slots
    ]
    keys = key_cache.open_grants(
        [GrantToOpen(share, CUSTODY, wrapped) for _, _, share, wrapped in rows]
    )
    opened = {}
    for (slot, data_key, share, _), key in zip(rows, keys, strict=True):
        if isinstance(key, GrantFailure):
            if key is GrantFailure.SHARE_DESTROYED:
                continue  # the erasure is ahead of this reader; the slot is no longer live
            raise failure(key)
        opened[slot] = OpenKey(data_key, share, key)
    return opened


def failure(reason: GrantFailure) -> KeyLost | CustodianRefused:
    """The error of a grant of a living subject that could not be opened or made."""
    if reason in _LOST:
        return KeyLost(reason=reason.value)
    return CustodianRefused(reason=reason.value)


def _create(wanted: Sequence[Want], *, now: datetime) -> dict[Slot, OpenKey]:
    shares = live_shares(pairs={(want.subject_id, want.group) for want in wanted}, now=now)
    fresh: list[tuple[Want, FreshShare | ShareRef, bytes]] = [
        (want, shares[want.subject_id, want.group], new_key())
        for want in wanted
        if (want.subject_id, want.group) in shares
    ]
    made = runtime.custodian().make_grants(
        [GrantToMake(share, CUSTODY, key) for _, share, key in fresh]
    )
    drafts = []
    for (want, share, key), wrapped in zip(fresh, made, strict=True):
        if isinstance(wrapped, GrantFailure):
            if wrapped is GrantFailure.SHARE_DESTROYED:
                continue
            raise failure(wrapped)
        ref = share.ref if isinstance(share, FreshShare) else share
        drafts.append((want, OpenKey(ids.new_random(), ref, key), wrapped))
    return _store(drafts, now=now)


def _store(drafts: Sequence[tuple[Want, OpenKey, bytes]], *, now: datetime) -> dict[Slot, OpenKey]:
    """Store new data keys; one that another writer stored first is left for the next round."""
    with unit_of_work():
        gate.require_open()
        live = set(
            Subject.objects.select_for_update(no_key=True)
            .filter(id__any={want.subject_id for want, _, _ in drafts}, state="live")
            .order_by("id")
            .values_list("id", flat=True)
        )
        shares = set(
            KeyShare.objects.filter(subject_id__any=live, state=ShareState.LIVE).values_list(
                "kid", flat=True
            )
        )
        kept = [draft for draft in drafts if UUID(bytes=draft[1].share.kid) in shares]
        taken = set(
            DataKey.objects.filter(
                share_id__any=[UUID(bytes=key.share.kid) for _, key, _ in kept]
            ).values_list("share_id", "category_id")
        )
        kept = [
            (want, key, wrapped)
            for want, key, wrapped in kept
            if (UUID(bytes=key.share.kid), want.category_id) not in taken
        ]
        insert(
            [
                (*want.slot, UUID(bytes=key.share.kid), key.data_key_id, wrapped)
                for want, key, wrapped in kept
            ],
            now=now,
        )
    key_cache.keep(
        [(GrantToOpen(key.share, CUSTODY, wrapped), key.key) for _, key, wrapped in kept]
    )
    return {want.slot: key for want, key, _ in kept}


NewKey: TypeAlias = tuple[UUID, UUID, UUID, UUID, bytes]


@requires_unit_of_work
def insert(rows: Sequence[NewKey], *, now: datetime) -> None:
    """Store data keys: (subject, category, kid, data key id, key wrapped for custody) each."""
    copy_in(
        table="vault_datakey",
        columns=_DATA_KEY,
        rows=[(key, subject, category, kid, now) for subject, category, kid, key, _ in rows],
    )
    copy_in(
        table="vault_custodygrant",
        columns=_CUSTODY_GRANT,
        rows=[(key, subject, wrapped) for subject, _, _, key, wrapped in rows],
    )


def live_shares(
    *, pairs: set[tuple[UUID, str]], now: datetime
) -> dict[tuple[UUID, str], FreshShare | ShareRef]:
    """The live share of each (subject, group), created where there is none.

    Pairs of subjects that are not live are left out.
    """
    plan(pairs=pairs, now=now)
    rows = KeyShare.objects.filter(
        subject_id__any={subject for subject, _ in pairs},
        state__in=[ShareState.PLANNED, ShareState.LIVE],
        subject__state="live",
    )
    found = {
        (row.subject_id, row.group): row
        for row in rows
        if row.subject_id is not None and (row.subject_id, row.group) in pairs
    }
    planned = [row for row in found.values() if row.state == ShareState.PLANNED]
    fresh = write_shares([share_ref(row) for row in planned])
    return {pair: fresh.get(share_ref(row), share_ref(row)) for pair, row in found.items()}


def plan(*, pairs: set[tuple[UUID, str]], now: datetime) -> None:
    """Commit a PLANNED share row for each pair of a live subject that has none open.

    None for a group whose expiry a lock can still stop: its share would be live again then.
    Raises KeyLost for a group whose share is LOST: a second one would hide the first for ever.
    """
    with unit_of_work():
        gate.require_open()
        subjects = {
            subject.id: subject
            for subject in Subject.objects.select_for_update(no_key=True)
            .filter(id__any={subject for subject, _ in pairs}, state="live")
            .order_by("id")
        }
        open_pairs = set(
            KeyShare.objects.filter(
                subject_id__any=subjects, state__in=[ShareState.PLANNED, ShareState.LIVE]
            ).values_list("subject_id", "group")
        )
        ending = set(
            Shredding.objects.filter(
                subject__in=list(subjects), scope=Scope.GROUP, state__in=list(CANCELLABLE)
            ).values_list("subject_id", "group")
        )
        if lost(pairs - open_pairs):
            raise KeyLost
        KeyShare.objects.bulk_create(
            KeyShare(
                kid=ids.new_random(),
                subject_id=subject,
                controller_id=subjects[subject].controller_id,
                group=group,
                state=ShareState.PLANNED,
                planned_at=now,
            )
            for subject, group in sorted(pairs - open_pairs - ending)
            if subject in subjects
        )


def lost(pairs: set[tuple[UUID, str]]) -> set[tuple[UUID, str]]:
    """Those of the (subject, group) pairs whose share was found missing from the key store."""
    rows = KeyShare.objects.filter(
        subject_id__any={subject for subject, _ in pairs}, state=ShareState.LOST
    ).values_list("subject_id", "group")
    return set(rows) & pairs


def write_shares(planned: Sequence[ShareRef]) -> dict[ShareRef, FreshShare]:
    """Create planned shares in the key store, adopt those an earlier call created, mark LIVE."""
    if not planned:
        return {}
    failpoints.reach("vault.keys.planned")
    answers = runtime.custodian().create_shares(planned)
    failpoints.reach("vault.keys.created")
    spoiled = {
        ref for ref, answer in zip(planned, answers, strict=True) if answer is StoreState.DESTROYED
    }
    with unit_of_work():
        for refs, state in (
            (set(planned) - spoiled, ShareState.LIVE),
            (spoiled, ShareState.ABSENT),
        ):
            kids = [UUID(bytes=ref.kid) for ref in refs]
            KeyShare.objects.filter(kid__any=kids, state=ShareState.PLANNED).update(state=state)
    return {
        ref: answer
        for ref, answer in zip(planned, answers, strict=True)
        if isinstance(answer, FreshShare)
    }
