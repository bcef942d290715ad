"""Entries of the erasure journal and their hash chain (`docs/formats/journal.md`). Pure."""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from core import canonical
from vault.domain.gate import Head
from vault.domain.journal_bodies import MAX_KIDS, EntryKind, check_body

NO_HASH: Final = bytes(32)
_DOMAIN: Final = b"lethe-journal-v1\x00"


class InvalidEntryError(ValueError):
    """Bytes of a journal that are not the entry expected at this place."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; `previous` is the hash of the one before, 32 zero bytes for the genesis.

    `ordinal` counts the destruction entries up to and with this one. `batch_end` is the sequence
    of the last entry that was to become durable together with this one.
    """

    journal_id: uuid.UUID
    sequence: int
    batch_end: int
    previous: bytes
    ordinal: int
    kind: EntryKind
    at: datetime
    body: Mapping[str, Any]
    #: An entry is hashed, written and followed: computed once.
    _hash: list[bytes] = field(default_factory=list, init=False, repr=False, compare=False)

    def content(self) -> dict[str, Any]:
        """What is hashed."""
        return {
            "journal_id": str(self.journal_id),
            "sequence": self.sequence,
            "batch_end": self.batch_end,
            "previous": self.previous.hex(),
            "ordinal": self.ordinal,
            "kind": self.kind.value,
            "at": canonical.instant(self.at),
            "body": dict(self.body),
        }

    def hash(self) -> bytes:
        """The head of the chain once this entry is its last."""
        if not self._hash:
            self._hash.append(sha256(_DOMAIN + canonical.encode(self.content())).digest())
        return self._hash[0]

    def head(self) -> Head:
        """The journal's head once this entry is its last."""
        return Head(self.journal_id, self.sequence, self.hash(), self.ordinal)

    def line(self) -> bytes:
        """The entry as it is stored: one canonical line with its own hash."""
        return canonical.encode({**self.content(), "hash": self.hash().hex()}) + b"\n"


def genesis(
    journal_id: uuid.UUID, *, now: datetime, ordinal: int = 0, body: Mapping[str, Any]
) -> Entry:
    """The first entry of a journal; with an ordinal and members of `body` of a refounded one.

    Raises ValueError for a body or an ordinal that it may not have.
    """
    check_body(EntryKind.GENESIS, body)
    if ordinal < 0 or (ordinal and not body):
        raise ValueError("only a refounded journal goes on from an ordinal")
    return Entry(journal_id, 0, 0, NO_HASH, ordinal, EntryKind.GENESIS, now, body)


def chained(
    drafts: Iterable[tuple[EntryKind, Mapping[str, Any]]], *, after: Head, now: datetime
) -> list[Entry]:
    """The entries of one batch, to follow `after`."""
    wanted = list(drafts)
    batch_end = after.sequence + len(wanted)
    entries: list[Entry] = []
    for kind, body in wanted:
        entry = Entry(
            after.journal_id,
            after.sequence + 1,
            batch_end,
            after.hash,
            next_ordinal(kind, after),
            kind,
            now,
            body,
        )
        entries.append(entry)
        after = entry.head()
    return entries


def parse(line: bytes) -> Entry:
    """Read one stored line. Raises InvalidEntryError unless it is exactly what `line()` writes."""
    try:
        read = json.loads(line)
        entry = Entry(
            journal_id=uuid.UUID(read["journal_id"]),
            sequence=_count(read["sequence"]),
            batch_end=_count(read["batch_end"]),
            previous=bytes.fromhex(read["previous"]),
            ordinal=_count(read["ordinal"]),
            kind=EntryKind(read["kind"]),
            at=canonical.parse_instant(read["at"]),
            body=read["body"],
        )
        is_exact = entry.line() == line
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidEntryError("the line is not a journal entry") from None
    if not is_exact:
        raise InvalidEntryError("the entry does not match its hash")
    return entry


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a count")
    return value


def check_follows(entry: Entry, before: Head | None) -> None:
    """Raise InvalidEntryError unless `entry` may follow `before` (None: at the start)."""
    if before is None:
        is_first = entry.kind is EntryKind.GENESIS and entry.sequence == entry.batch_end == 0
        if not is_first or entry.previous != NO_HASH or bool(entry.ordinal) > bool(entry.body):
            raise InvalidEntryError("the journal does not start with a genesis entry")
    elif (
        entry.kind is EntryKind.GENESIS
        or entry.ordinal != next_ordinal(entry.kind, before)
        or entry.journal_id != before.journal_id
        or entry.sequence != before.sequence + 1
        or entry.batch_end < entry.sequence
        or entry.previous != before.hash
    ):
        raise InvalidEntryError("the entry does not follow the one before it")


def next_ordinal(kind: EntryKind, before: Head) -> int:
    """The ordinal of an entry of `kind` that follows `before`."""
    return before.ordinal + (kind is EntryKind.DESTRUCTION)


__all__ = [
    "MAX_KIDS", "NO_HASH", "Entry", "EntryKind", "InvalidEntryError", "chained", "check_body",
    "check_follows", "genesis", "next_ordinal", "parse",
]  # fmt: skip
