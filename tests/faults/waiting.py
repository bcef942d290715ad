"""Waiting for a condition, and never for a time."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")
#: Far longer than anything takes on a busy machine.
PATIENCE: Final = 45.0
_POLL: Final = 0.05


def until(condition: Callable[[], T], what: str = "", *, patience: float = PATIENCE) -> T:
    """Ask again and again; the first answer that is true. Fails when none comes in time."""
    ends_at = time.monotonic() + patience
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < ends_at, f"waited in vain: {what or condition}"
        time.sleep(_POLL)
