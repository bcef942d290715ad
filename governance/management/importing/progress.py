"""Where an import stands: kept in a file for a restart, and shown while it runs."""

import hashlib
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from governance.management.importing.loading import Report

_EVERY: Final = 5.0


class ForeignState(Exception):
    """The state file is of another import; the text says what to do."""


class StateFile:
    """The last settled line and the counts, written after every chunk; no personal data."""

    def __init__(self, path: Path, *, csv: Path, mapping: Path, url: str) -> None:
        self.path = path
        found = csv.stat()
        self._of = {
            "url": url,
            "csv": [found.st_size, found.st_mtime_ns],
            "mapping": hashlib.sha256(mapping.read_bytes()).hexdigest(),
        }

    def load(self) -> Report:
        """Where to go on. Raises ForeignState."""
        if not self.path.exists():
            return Report()
        state = json.loads(self.path.read_text(encoding="utf-8"))
        if state.get("of") != self._of:
            raise ForeignState(
                f"{self.path} belongs to another file, mapping or address. Delete it to begin anew."
            )
        return Report(line=int(state["line"]), counts=Counter(state["counts"]))

    def save(self, report: Report) -> None:
        """Replace the file in one step."""
        state: dict[str, Any] = {"of": self._of, "line": report.line, "counts": report.counts}
        beside = self.path.with_name(self.path.name + ".new")
        beside.write_text(json.dumps(state), encoding="utf-8")
        beside.replace(self.path)

    def remove(self) -> None:
        """The import is done; running it again begins anew, which is harmless."""
        self.path.unlink(missing_ok=True)


class Display:
    """A bar on a terminal, else a line every few seconds."""

    def __init__(self, console: Console, *, title: str, total: int) -> None:
        self._console, self._title, self._total = console, title, total
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._said_at = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._bar.start()
            self._task = self._bar.add_task(self._title, total=self._total)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, report: Report) -> None:
        """Where the import stands."""
        if self._bar is not None:
            self._bar.update(self._task, completed=min(report.rows, self._total))
        elif time.monotonic() - self._said_at >= _EVERY:
            self._said_at = time.monotonic()
            self.say(f"{self._title}: {report.rows} of {self._total} rows")

    def say(self, text: str) -> None:
        """One line beside the bar."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def count_rows(path: Path) -> int:
    """About how many rows the file has: its lines but the header."""
    with path.open("rb") as file:
        return max(0, sum(1 for line in file if line.strip()) - 1)
