"""Which copies of the stores exist until when, and from when none can hold what was destroyed.

A statement lists every copy of one kind in one place. A copy that began before a destruction may
hold what was destroyed. It ends when a later statement of its place no longer finds it: until
somebody looked after its end date, it has not ended.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

#: Clocks of the stores differ: a copy that began this soon after a destruction may hold it.
MARGIN: Final = timedelta(minutes=1)
#: A copy is listed when it is done: one that takes this long may have begun before a destruction
#: and be missing from every statement until then.
LONGEST_RUN: Final = timedelta(hours=24)


class Store(StrEnum):
    """Whose copies these are."""

    DATABASE = "database"
    KEY_STORE = "key-store"


class Kind(StrEnum):
    """The copies that a final certificate must know the end of; each needs a statement."""

    DATABASE_BACKUP = "database-backup"
    WAL_ARCHIVE = "wal-archive"
    KEY_STORE_SNAPSHOT = "key-store-snapshot"
    RETIRED_DISK = "retired-disk"
    KEY_STORE_RESIDUE = "key-store-residue"

    @property
    def store(self) -> Store:
        """The store whose copies are of this kind."""
        of_database = self in {Kind.DATABASE_BACKUP, Kind.WAL_ARCHIVE}
        return Store.DATABASE if of_database else Store.KEY_STORE


#: From which a store alone can be brought back whole.
WHOLE: Final = {
    Store.DATABASE: Kind.DATABASE_BACKUP,
    Store.KEY_STORE: Kind.KEY_STORE_SNAPSHOT,
}


class Source(StrEnum):
    """Whether the place itself was read, or a named operator declares it."""

    LISTING = "listing"
    DECLARATION = "declaration"


class Doubt(StrEnum):
    """Why it is not known from when nothing can be recovered."""

    MISSING = "backup-inventory-missing"
    BROKEN = "backup-inventory-broken"
    NOT_SINCE = "backup-inventory-before-destruction"
    WITHOUT_END = "backup-without-end"
    OVERDUE = "backup-overdue"
    EXISTS = "backups-exist"
    TOO_OLD = "backup-inventory-too-old"
    DUE = "backup-clearing-due"
    CONTRADICTED = "backup-contradicts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One copy of a store; `label` is its name in its place.

    `evidence` is the SHA-256 of its own manifest, in hex, or empty; `gone_by` says how it is known
    that it is gone.
    """

    label: str
    began_at: datetime
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    gone_at: datetime | None = None
    gone_by: Source | None = None
    evidence: str = ""

    def may_hold(self, destroyed_at: datetime) -> bool:
        """Whether it began before a destruction at that time was certain to be over."""
        return self.began_at <= destroyed_at + MARGIN


@dataclass(frozen=True, slots=True)
class Place:
    """Where copies of one kind lie; `cluster` is the system identifier or the key store's name."""

    kind: Kind
    cluster: str
    name: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A place, its newest statement, and the last word on every copy that ever lay there."""

    place: Place
    stated_at: datetime
    source: Source
    digest: str
    copies: Sequence[Copy]


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a final certificate: until when copies in one place could hold it."""

    kind: Kind
    expires_at: datetime
    source: Source
    digest: str


@dataclass(frozen=True, slots=True)
class Horizon:
    """From when nothing can be recovered. `until` is None when nobody knows.

    `doubt` says what is missing to call it established; None when nothing is. While copies exist
    that will end, `until` is the date that they promise.
    """

    until: datetime | None
    doubt: Doubt | None
    items: tuple[Item, ...] = ()


def judge(
    slots: Sequence[Slot], *, needed: Collection[tuple[Kind, str]], destroyed_at: datetime,
    now: datetime,
) -> Horizon:  # fmt: skip
    """Until when a copy can hold what was destroyed then.

    `needed` are the kinds and clusters that must have been stated.
    """
    stated = {(slot.place.kind, slot.place.cluster) for slot in slots}
    if not set(needed) <= stated:
        return Horizon(None, Doubt.MISSING)
    doubts = {_doubt(slot, destroyed_at=destroyed_at, now=now) for slot in slots}
    for unknown in (Doubt.WITHOUT_END, Doubt.OVERDUE, Doubt.NOT_SINCE):
        if unknown in doubts:
            return Horizon(None, unknown)
    items = tuple(_item(slot, destroyed_at) for slot in slots)
    until = max([destroyed_at, *(item.expires_at for item in items)])
    open_doubts = [one for one in (Doubt.EXISTS, Doubt.TOO_OLD) if one in doubts]
    return Horizon(until, open_doubts[0] if open_doubts else None, items)


def _doubt(slot: Slot, *, destroyed_at: datetime, now: datetime) -> Doubt | None:
    """What hinders this place from being clear of what was destroyed, or None."""
    found = None if slot.stated_at >= destroyed_at + LONGEST_RUN else Doubt.NOT_SINCE
    for copy in slot.copies:
        if not copy.may_hold(destroyed_at) or copy.gone_at is not None:
            continue
        if copy.expires_at is None:
            return Doubt.WITHOUT_END
        if copy.expires_at <= slot.stated_at:
            return Doubt.OVERDUE
        found = found or (Doubt.EXISTS if copy.expires_at > now else Doubt.TOO_OLD)
    return found


def _item(slot: Slot, destroyed_at: datetime) -> Item:
    holding = [copy for copy in slot.copies if copy.may_hold(destroyed_at)]
    ends = [copy.gone_at or copy.expires_at for copy in holding]
    by_word = any(copy.gone_by is Source.DECLARATION for copy in holding)
    return Item(
        slot.place.kind,
        max([destroyed_at, *(end for end in ends if end is not None)]),
        Source.DECLARATION if by_word else slot.source,
        slot.digest,
    )


def survivors(slots: Sequence[Slot], *, destroyed_at: datetime) -> list[Copy]:
    """Copies that may hold what was destroyed and of which nobody has said that they are gone."""
    return [
        copy
        for slot in slots
        for copy in slot.copies
        if copy.gone_at is None and copy.may_hold(destroyed_at)
    ]
