"""Entries of the erasure journal and their hash chain (`docs/formats/journal.md`). Pure."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from core import canonical
from vault.domain.journal_bodies import MAX_KIDS, EntryKind, check_body

NO_HASH: Final = bytes(32)
_DOMAIN: Final = b"lethe-journal-v1\x00"


class InvalidEntryError(ValueError):
    """Bytes of a journal that are not the entry expected at this place."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; `previous` is the hash of the one before, 32 zero bytes for the genesis.

    `ordinal` counts the destruction entries up to and with this one.
    """

    journal_id: uuid.UUID
    sequence: int
    previous: bytes
    kind: EntryKind
    at: datetime
    body: Mapping[str, Any]
    ordinal: int = 0

    def content(self) -> dict[str, Any]:
        """What is hashed."""
        return {
            "journal_id": str(self.journal_id),
            "sequence": self.sequence,
            "previous": self.previous.hex(),
            "ordinal": self.ordinal,
            "kind": self.kind.value,
            "at": canonical.instant(self.at),
            "body": dict(self.body),
        }

    def hash(self) -> bytes:
        """The head of the chain once this entry is its last."""
        return sha256(_DOMAIN + canonical.encode(self.content())).digest()

    def line(self) -> bytes:
        """The entry as it is stored: one canonical line with its own hash."""
        return canonical.encode({**self.content(), "hash": self.hash().hex()}) + b"\n"


def parse(line: bytes) -> Entry:
    """Read one stored line. Raises InvalidEntryError unless it is exactly what `line()` writes."""
    try:
        read = json.loads(line)
        entry = Entry(
            journal_id=uuid.UUID(read["journal_id"]),
            sequence=read["sequence"],
            previous=bytes.fromhex(read["previous"]),
            kind=EntryKind(read["kind"]),
            at=canonical.parse_instant(read["at"]),
            body=read["body"],
            ordinal=read["ordinal"],
        )
        is_exact = entry.line() == line
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidEntryError("the line is not a journal entry") from None
    if not is_exact:
        raise InvalidEntryError("the entry does not match its hash")
    return entry


def check_follows(entry: Entry, before: Entry | None) -> None:
    """Raise InvalidEntryError unless `entry` may follow `before` (None: at the start)."""
    if before is None:
        genesis = entry.kind is EntryKind.GENESIS
        if not genesis or entry.sequence != 0 or entry.previous != NO_HASH:
            raise InvalidEntryError("the journal does not start with a genesis entry")
    elif (
        entry.kind is EntryKind.GENESIS
        or entry.ordinal != next_ordinal(entry.kind, before)
        or entry.journal_id != before.journal_id
        or entry.sequence != before.sequence + 1
        or entry.previous != before.hash()
    ):
        raise InvalidEntryError("the entry does not follow the one before it")


def next_ordinal(kind: EntryKind, before: Entry) -> int:
    """The ordinal of an entry of `kind` that follows `before`."""
    return before.ordinal + (kind is EntryKind.DESTRUCTION)


__all__ = [
    "MAX_KIDS", "NO_HASH", "Entry", "EntryKind", "InvalidEntryError", "check_body",
    "check_follows", "next_ordinal", "parse",
]  # fmt: skip
