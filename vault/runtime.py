"""The ports of this process, typed. Bound by dotted path in `settings.LETHE_PORTS`."""

from typing import cast

from core import runtime
from vault.ports import (
    DestructionMarker,
    Journal,
    JournalReader,
    KeyCustodian,
    KeyInventory,
    KeyRotation,
    LookupHasher,
    SubjectParticipant,
    WrappingKeys,
)


def custodian() -> KeyCustodian:
    """The key custodian, logged in with this process's credential."""
    return cast("KeyCustodian", runtime.port("custodian"))


def hasher() -> LookupHasher:
    """The hasher of lookup and suppression tags."""
    return cast("LookupHasher", runtime.port("hasher"))


def inventory() -> KeyInventory:
    """The names of the shares in the key store; needs the eraser's right to list."""
    return cast("KeyInventory", runtime.port("inventory"))


def journal() -> Journal:
    """The erasure journal; only the eraser process writes it."""
    return cast("Journal", runtime.port("journal"))


def journal_reader() -> JournalReader:
    """The erasure journal for whoever only reads it."""
    return cast("JournalReader", runtime.port("journal_reader"))


def marker() -> DestructionMarker:
    """What the key store itself remembers of destructions; only the eraser writes it."""
    return cast("DestructionMarker", runtime.port("marker"))


def rotation() -> KeyRotation:
    """Versions of wrapping keys; only beat and commands may change them, the eraser reads them."""
    return cast("KeyRotation", runtime.port("rotation"))


def wrapping_keys() -> WrappingKeys:
    """The pool of wrapping keys in the key store."""
    return cast("WrappingKeys", runtime.port("wrapping_keys"))


def participants() -> list[SubjectParticipant]:
    """Upper rooms that take part in erasure."""
    return cast("list[SubjectParticipant]", runtime.participants())
