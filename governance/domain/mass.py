"""Acts on very many people at once: their kinds, their states, and the one table of moves."""

from enum import StrEnum
from types import MappingProxyType


class MassKind(StrEnum):
    """What is done to whom: everybody of a source, or everybody whom a purpose may read."""

    ERASE_SOURCE = "erase-source"
    WITHDRAW_PURPOSE = "withdraw-purpose"


class MassState(StrEnum):
    """An erasure is drafted, approved and released; a retirement runs from its first commit."""

    DRAFTED = "drafted"
    APPROVED = "approved"
    RUNNING = "running"
    DONE = "done"
    WITHDRAWN = "withdrawn"


class Left(StrEnum):
    """Why somebody was left as they were; a hold is counted under its own ground."""

    OTHER_SOURCE = "other-source"
    OWN_REQUEST = "own-request"
    ERASED = "already-erased"
    WITHDRAWN = "already-withdrawn"


_S = MassState
MASS_MOVES = MappingProxyType(
    {
        _S.DRAFTED: frozenset({_S.APPROVED, _S.WITHDRAWN}),
        _S.APPROVED: frozenset({_S.RUNNING, _S.WITHDRAWN}),
        _S.RUNNING: frozenset({_S.DONE}),
        _S.DONE: frozenset[MassState](),
        _S.WITHDRAWN: frozenset[MassState](),
    }
)

#: The act is over.
CLOSED = frozenset({_S.DONE, _S.WITHDRAWN})


def may_move(old: str, new: MassState) -> bool:
    """Whether the table allows `old` to `new`."""
    return new in MASS_MOVES[MassState(old)]
