"""Named points at which tests raise or kill; in production nothing is installed.

A point stands wherever a crash leaves one store ahead of another. `LETHE_KILL_AT=name` makes
the process kill itself there, with LETHE_DEVELOPMENT=1 only.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_hook: Callable[[str], None] | None = None


def reach(point: str) -> None:
    """Say that execution is at `point`, e.g. `vault.destroy.journaled`."""
    if _hook is not None:
        _hook(point)


@contextmanager
def installed(hook: Callable[[str], None]) -> Iterator[None]:
    """Call `hook` at every point for the length of the block, in every thread."""
    global _hook  # noqa: PLW0603 - one per process
    before, _hook = _hook, hook
    try:
        yield
    finally:
        _hook = before


def arm_from_environment() -> None:
    """Install the killer that LETHE_KILL_AT names; called at start-up in development only."""
    global _hook  # noqa: PLW0603 - one per process
    target = os.environ.get("LETHE_KILL_AT")
    if target:
        _hook = lambda point: _kill(point, target)  # noqa: E731 - one line, one use


def _kill(point: str, target: str) -> None:
    if point == target:
        os.kill(os.getpid(), signal.SIGKILL)
