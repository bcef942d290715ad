"""What the demo says, and how: steps, figures, progress; plain lines where there is no terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

_INDENT: Final = 2
_POLL: Final = 0.2

Found = TypeVar("Found")


class Terminal:
    """One voice for the whole demo."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._step = 0

    def chapter(self, title: str) -> None:
        """A step of the story."""
        self._step += 1
        self.console.print()
        self.console.print(Text(f"{self._step}. {title}", style="bold"))

    def say(self, text: str) -> None:
        """A sentence of the narration."""
        self._line(Text(text))

    def show(self, label: str, value: object) -> None:
        """A figure or a state, so that it stands out."""
        line = Text.assemble((f"{label}: ", "dim"), (str(value), "bold green"))
        self._line(line)

    def warn(self, text: str) -> None:
        """Something that the reader should not miss."""
        self.console.print(Text(text, style="bold yellow"), soft_wrap=True)

    def _line(self, text: Text) -> None:
        if self.console.is_terminal:
            self.console.print(Padding(text, (0, 0, 0, _INDENT)))
        else:  # a log wraps lines itself
            self.console.print(Text(" " * _INDENT).append_text(text), soft_wrap=True)

    @contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """Say what is going on, with a spinner on a terminal, and how long it took."""
        began = time.monotonic()
        if self.console.is_terminal:
            with self.console.status(text):
                yield
        else:
            yield
        self.say(f"{text}: {time.monotonic() - began:.1f} s")


def wait_for(
    look: Callable[[], Found | None], *, seconds: float, otherwise: Callable[[], Exception]
) -> Found:
    """What `look` finds, asked again until then. Raises `otherwise()` when time is up."""
    ends_at = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > ends_at:
            raise otherwise()
        time.sleep(_POLL)
