"""The ports of this process, typed. Bound by dotted path in `settings.LETHE_PORTS`."""

from typing import cast

from core import runtime
from vault.ports import Journal, KeyCustodian, LookupHasher, SubjectParticipant, WrappingKeys


def custodian() -> KeyCustodian:
    """The key custodian, logged in with this process's credential."""
    return cast("KeyCustodian", runtime.port("custodian"))


def hasher() -> LookupHasher:
    """The hasher of lookup and suppression tags."""
    return cast("LookupHasher", runtime.port("hasher"))


def journal() -> Journal:
    """The erasure journal; only the eraser process writes it."""
    return cast("Journal", runtime.port("journal"))


def wrapping_keys() -> WrappingKeys:
    """The pool of wrapping keys in the key store."""
    return cast("WrappingKeys", runtime.port("wrapping_keys"))


def participants() -> list[SubjectParticipant]:
    """Upper rooms that take part in erasure."""
    return cast("list[SubjectParticipant]", runtime.participants())
