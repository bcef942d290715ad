"""The gate's judgement: do journal, database and key store tell the same history? Pure."""

import uuid
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Reason(StrEnum):
    """Why the gate is open or closed; part of the public API of /readyz and of metrics."""

    IN_STEP = "in-step"
    NOT_CHECKED = "not-checked"
    SERVER_CHANGED = "server-changed"
    LEASE_EXPIRED = "lease-expired"
    JOURNAL_UNAVAILABLE = "journal-unavailable"
    JOURNAL_REPLACED = "journal-replaced"
    JOURNAL_BEHIND = "journal-behind"
    JOURNAL_FORKED = "journal-forked"
    DATABASE_BEHIND = "database-behind"
    MARKER_ABSENT = "marker-absent"
    MARKER_FOREIGN = "marker-foreign"
    KEY_STORE_BEHIND = "key-store-behind"
    REPLAY_UNVERIFIED = "replay-unverified"


#: What each reason means to whoever is woken by it, and what to do first.
WORDS: Final = MappingProxyType(
    {
        Reason.IN_STEP: "Journal, database and key store agree. Data is served.",
        Reason.NOT_CHECKED: (
            "The eraser process has never compared journal, database and key store on this "
            "database. Start it; it opens the gate by itself within seconds."
        ),
        Reason.SERVER_CHANGED: (
            "PostgreSQL was restarted, promoted or restored, and the eraser process has not "
            "looked yet. If it runs, this ends within seconds; else start it."
        ),
        Reason.LEASE_EXPIRED: (
            "The eraser process has not been able to compare for 15 minutes. Does it run? Can it "
            "reach the journal's volume and the key store (sealed?)"
        ),
        Reason.JOURNAL_UNAVAILABLE: (
            "The erasure journal cannot be read or written, or its copies differ: is its volume "
            "mounted, and writable? See docs/runbooks/journal-lost.md. Do not start a new journal."
        ),
        Reason.JOURNAL_REPLACED: (
            "The journal is not the one that this database knows. Mount the right volume, or, "
            "if the old one is gone for good, see docs/runbooks/journal-lost.md."
        ),
        Reason.JOURNAL_BEHIND: (
            "The journal lacks entries that the database or the key store has seen: an old copy "
            "of its volume is mounted. See docs/runbooks/journal-lost.md."
        ),
        Reason.JOURNAL_FORKED: (
            "The journal and the database tell different histories: two installations have "
            "written, or a copy was restored. See docs/runbooks/journal-lost.md."
        ),
        Reason.DATABASE_BEHIND: (
            "The database is older than the journal: it was restored from a backup. Run the "
            "replay: docs/runbooks/restore-database.md."
        ),
        Reason.MARKER_ABSENT: (
            "The key store has no record of destructions that were carried out: it is new, or "
            "was restored from an old snapshot. Run docs/runbooks/restore-key-store.md."
        ),
        Reason.MARKER_FOREIGN: (
            "The key store belongs to another journal. Does LETHE_VAULT_ADDR name the right "
            "one? See docs/runbooks/restore-key-store.md."
        ),
        Reason.KEY_STORE_BEHIND: (
            "The key store is older than the database: it was restored from a snapshot, and may "
            "lack keys or destructions. Run the replay: docs/runbooks/restore-key-store.md."
        ),
        Reason.REPLAY_UNVERIFIED: (
            "The replay was applied and not yet read back: run `manage.py replay_journal` as "
            "the attester."
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a journal as one store knows it; `ordinal` counts destructions up to it."""

    journal_id: uuid.UUID
    sequence: int
    hash: bytes
    ordinal: int


@dataclass(frozen=True, slots=True)
class Marker:
    """What the key store remembers: destructions of `journal_id` settled without a gap.

    `beat` counts up while the gate is open, so that a store put back to any time is found out.
    """

    journal_id: uuid.UUID
    ordinal: int
    beat: int = 0


def moved(marker: Marker | None, *, journal_id: uuid.UUID, ordinal: int, beat: int = 0) -> Marker:
    """The marker at another place of the journal; its beat never falls, nor below `beat`."""
    return Marker(journal_id, ordinal, max(beat, 0 if marker is None else marker.beat))


def judge_database(
    *, journal: Head, database: Head | None, hash_at_database: bytes | None
) -> Reason:
    """How the database's head stands to the journal's.

    `hash_at_database` is the journal's own hash at the database's sequence, None when it has no
    such entry.
    """
    if database is None:
        is_new = journal.sequence == 0 and journal.ordinal == 0
        return Reason.IN_STEP if is_new else Reason.DATABASE_BEHIND
    if database.journal_id != journal.journal_id:
        return Reason.JOURNAL_REPLACED
    if database.sequence > journal.sequence:
        return Reason.JOURNAL_BEHIND
    if hash_at_database != database.hash:
        return Reason.JOURNAL_FORKED
    return Reason.IN_STEP if database.sequence == journal.sequence else Reason.DATABASE_BEHIND


def judge_key_store(*, journal: Head, marker: Marker | None, settled: int, beat: int) -> Reason:
    """How the key store's marker stands to what the database knows as settled, and last counted."""
    if marker is None:
        return Reason.MARKER_ABSENT if journal.ordinal else Reason.IN_STEP
    if marker.journal_id != journal.journal_id:
        return Reason.MARKER_FOREIGN
    if marker.ordinal > journal.ordinal:
        return Reason.JOURNAL_BEHIND
    is_behind = marker.ordinal < settled or marker.beat < beat
    return Reason.KEY_STORE_BEHIND if is_behind else Reason.IN_STEP
