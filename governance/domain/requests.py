"""States of a data subject's request, and the one table of its legal moves."""

from enum import StrEnum
from types import MappingProxyType


class RequestState(StrEnum):
    """BLOCKED: a lock stopped the erasure before it was ordered; it can be released again.

    REFUSED is not reachable yet: no refusal without the letter that gives reasons and remedies
    (Article 12(4)), and letters are not built.
    """

    RECEIVED = "received"
    DRAFTED = "drafted"
    APPROVED = "approved"
    BLOCKED = "blocked"
    EXECUTING = "executing"
    DESTROYED_LIVE = "destroyed-live"
    CERTIFIED = "certified"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


_S = RequestState
REQUEST_MOVES = MappingProxyType(
    {
        _S.RECEIVED: frozenset({_S.DRAFTED, _S.WITHDRAWN}),
        _S.DRAFTED: frozenset({_S.DRAFTED, _S.APPROVED, _S.WITHDRAWN}),
        _S.APPROVED: frozenset({_S.EXECUTING, _S.WITHDRAWN}),
        _S.BLOCKED: frozenset({_S.EXECUTING, _S.WITHDRAWN}),
        _S.EXECUTING: frozenset({_S.BLOCKED, _S.DESTROYED_LIVE}),
        _S.DESTROYED_LIVE: frozenset({_S.CERTIFIED}),
        _S.CERTIFIED: frozenset[RequestState](),
        _S.REFUSED: frozenset[RequestState](),
        _S.WITHDRAWN: frozenset[RequestState](),
    }
)

#: The case is over.
CLOSED = frozenset({_S.CERTIFIED, _S.REFUSED, _S.WITHDRAWN})


def may_move(old: str, new: RequestState) -> bool:
    """Whether the table allows `old` to `new`."""
    return new in REQUEST_MOVES[RequestState(old)]
