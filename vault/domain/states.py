"""States of subjects, key shares and shreddings, and the one table of legal moves of each."""

from enum import StrEnum
from types import MappingProxyType


class SubjectState(StrEnum):
    """A subject is written and read only while LIVE."""

    LIVE = "live"
    FENCED = "fenced"
    ERASED = "erased"


class ShareState(StrEnum):
    """PLANNED is committed before the key store is called; LIVE once it was read back.

    SUCCESSOR is what PLANNED is, for the share that a re-key will put in the LIVE one's place.
    LOST: in use, and the key store does not have it; nobody destroyed it.
    """

    PLANNED = "planned"
    LIVE = "live"
    SUCCESSOR = "successor"
    RETIRED = "retired"
    DESTROYED = "destroyed"
    ABSENT = "absent"
    LOST = "lost"


class ShreddingState(StrEnum):
    """Steps of an erasure, in order; each marker is written after its step is done."""

    FENCED = "fenced"
    DRAINED = "drained"
    ORDERED = "ordered"
    KEYS_DESTROYED = "keys-destroyed"
    SWEPT = "swept"
    VERIFIED = "verified"
    BACKUP_CLEAR = "backup-clear"
    CANCELLED = "cancelled"


class Scope(StrEnum):
    """What a shredding destroys: a subject, one key group of it, or the key that a re-key left.

    ORPHANS: keys of which a restored database does not know whose they are.
    """

    SUBJECT = "subject"
    GROUP = "group"
    REKEY = "rekey"
    ORPHANS = "orphans"


class RekeyState(StrEnum):
    """Steps of a re-key, in order; each marker is written after its step is done."""

    PLANNED = "planned"
    CREATED = "created"
    RESEALING = "resealing"
    SWAPPED = "swapped"
    DESTROYING = "destroying"
    DONE = "done"


class RotationState(StrEnum):
    """Steps of a wrapping key's rotation, in order; each marker is written after its step."""

    PLANNED = "planned"
    ROTATED = "rotated"
    REWRAPPING = "rewrapping"
    REWRAPPED = "rewrapped"
    DONE = "done"


SUBJECT_MOVES = MappingProxyType(
    {
        SubjectState.LIVE: frozenset({SubjectState.FENCED}),
        SubjectState.FENCED: frozenset({SubjectState.LIVE, SubjectState.ERASED}),
        SubjectState.ERASED: frozenset[SubjectState](),
    }
)

SHARE_MOVES = MappingProxyType(
    {
        ShareState.PLANNED: frozenset({ShareState.LIVE, ShareState.RETIRED, ShareState.ABSENT}),
        ShareState.LIVE: frozenset({ShareState.RETIRED, ShareState.LOST}),
        ShareState.SUCCESSOR: frozenset({ShareState.LIVE, ShareState.RETIRED, ShareState.LOST}),
        ShareState.RETIRED: frozenset(
            {
                ShareState.LIVE,
                ShareState.SUCCESSOR,
                ShareState.DESTROYED,
                ShareState.ABSENT,
                ShareState.LOST,
            }
        ),
        # Found missing, it can be there again when another snapshot is put back.
        ShareState.LOST: frozenset(
            {ShareState.LIVE, ShareState.RETIRED, ShareState.DESTROYED, ShareState.ABSENT}
        ),
        ShareState.DESTROYED: frozenset[ShareState](),
        ShareState.ABSENT: frozenset[ShareState](),
    }
)

SHREDDING_MOVES = MappingProxyType(
    {
        ShreddingState.FENCED: frozenset({ShreddingState.DRAINED, ShreddingState.CANCELLED}),
        ShreddingState.DRAINED: frozenset({ShreddingState.ORDERED, ShreddingState.CANCELLED}),
        ShreddingState.ORDERED: frozenset({ShreddingState.KEYS_DESTROYED}),
        ShreddingState.KEYS_DESTROYED: frozenset({ShreddingState.SWEPT}),
        ShreddingState.SWEPT: frozenset({ShreddingState.VERIFIED}),
        ShreddingState.VERIFIED: frozenset({ShreddingState.BACKUP_CLEAR}),
        ShreddingState.BACKUP_CLEAR: frozenset[ShreddingState](),
        ShreddingState.CANCELLED: frozenset[ShreddingState](),
    }
)

REKEY_MOVES = MappingProxyType(
    {
        RekeyState.PLANNED: frozenset({RekeyState.CREATED, RekeyState.PLANNED}),
        RekeyState.CREATED: frozenset({RekeyState.RESEALING, RekeyState.PLANNED}),
        RekeyState.RESEALING: frozenset({RekeyState.SWAPPED, RekeyState.PLANNED}),
        RekeyState.SWAPPED: frozenset({RekeyState.DESTROYING}),
        RekeyState.DESTROYING: frozenset({RekeyState.SWAPPED, RekeyState.DONE}),
        RekeyState.DONE: frozenset[RekeyState](),
    }
)

ROTATION_MOVES = MappingProxyType(
    {
        RotationState.PLANNED: frozenset({RotationState.ROTATED}),
        # To PLANNED when the key store has lost the new version for good.
        RotationState.ROTATED: frozenset({RotationState.REWRAPPING, RotationState.PLANNED}),
        RotationState.REWRAPPING: frozenset({RotationState.REWRAPPED, RotationState.PLANNED}),
        # A share that was lost and is there again brings grants under older versions with it.
        RotationState.REWRAPPED: frozenset(
            {RotationState.REWRAPPING, RotationState.DONE, RotationState.PLANNED}
        ),
        RotationState.DONE: frozenset[RotationState](),
    }
)

#: States of a shredding that a lock can still stop.
CANCELLABLE = frozenset({ShreddingState.FENCED, ShreddingState.DRAINED})


class IllegalMove(Exception):
    """A state machine was asked for a move that its table does not have."""


def require_rekey_move(old: str, new: RekeyState) -> None:
    """Raise IllegalMove unless the table allows `old` to `new`."""
    if new not in REKEY_MOVES[RekeyState(old)]:
        message = f"a re-key cannot go from {old} to {new}"
        raise IllegalMove(message)


def require_rotation_move(old: str, new: RotationState) -> None:
    """Raise IllegalMove unless the table allows `old` to `new`."""
    if new not in ROTATION_MOVES[RotationState(old)]:
        message = f"a rotation cannot go from {old} to {new}"
        raise IllegalMove(message)


def require_shredding_move(old: str, new: ShreddingState) -> None:
    """Raise IllegalMove unless the table allows `old` to `new`."""
    if new not in SHREDDING_MOVES[ShreddingState(old)]:
        message = f"a shredding cannot go from {old} to {new}"
        raise IllegalMove(message)
