"""Rows into the API, chunk by chunk: subjects first, then their records.

Every chunk may be sent again: a known subject answers `existing`, an equal record `unchanged`.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Protocol

from governance.management.importing.mapping import BadRow, Row
from governance.management.importing.rest import RestError, reasons

_CREATED: Final = frozenset({"created", "existing"})
_STORED: Final = frozenset({"created", "updated", "unchanged"})
_NOT_READ: Final = frozenset({"too-many-lines"})
_REMEMBERED: Final = 100_000


class Api(Protocol):
    """What loading needs of a client."""

    def bulk(self, path: str, items: Iterable[Any]) -> list[dict[str, Any]]:
        """Outcome lines, the summary last."""

    def wait(self, seconds: float, reason: str, *, since: float) -> None:
        """Wait out an outage, or raise RestError."""

    def now(self) -> float:
        """The clock of `wait`."""


@dataclass(slots=True)
class Report:
    """What has become of the rows so far. `line` is the last one that is settled."""

    line: int = 1
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """Rows that were settled, good and bad."""
        return sum(self.counts[name] for name in (*_STORED, "bad"))


class Loader:
    """Sends rows; `on_bad` hears of each that is left out, `on_chunk` after each chunk."""

    def __init__(
        self,
        api: Api,
        *,
        category: str,
        chunk: int,
        on_bad: Callable[[BadRow], None],
        on_chunk: Callable[[Report], None],
    ) -> None:
        self._api, self._category, self._chunk = api, category, chunk
        self._on_bad, self._on_chunk = on_bad, on_chunk
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def load(self, rows: Iterable[Row | BadRow], report: Report) -> None:
        """Send the rows after `report.line`. Raises RestError when the API cannot go on."""
        ahead = (row for row in rows if row.line > report.line)
        while chunk := list(islice(ahead, self._chunk)):
            bad = [row for row in chunk if isinstance(row, BadRow)]
            bad += self._send([row for row in chunk if isinstance(row, Row)], report)
            for row in sorted(bad, key=lambda row: row.line):
                report.counts["bad"] += 1
                self._on_bad(row)
            report.line = chunk[-1].line
            self._on_chunk(report)

    def _send(self, rows: Sequence[Row], report: Report) -> list[BadRow]:
        refused = self._subjects(rows, report)
        sendable = [row for row in rows if row.references[0] not in refused]
        bad = [
            BadRow(row.line, f"subject: {refused[row.references[0]]}")
            for row in rows
            if row.references[0] in refused
        ]
        answers = self._outcomes("/api/v1/records:bulk", [self._line(row) for row in sendable])
        for row, answer in zip(sendable, answers, strict=True):
            if answer["outcome"] in _STORED:
                report.counts[answer["outcome"]] += 1
            else:
                bad.append(BadRow(row.line, _reason(answer)))
        return bad

    def _subjects(self, rows: Sequence[Row], report: Report) -> dict[tuple[str, str], str]:
        """Make the subjects that are not known yet; reasons of those that were refused."""
        fresh = {
            row.references[0]: row.references
            for row in rows
            if row.references[0] not in self._known
        }
        items = [
            {"references": [{"kind": kind, "value": value} for kind, value in references]}
            for references in fresh.values()
        ]
        refused = {}
        for first, answer in zip(
            fresh, self._outcomes("/api/v1/subjects:bulk", items), strict=True
        ):
            if answer["outcome"] in _CREATED:
                self._remember(first)
                report.counts[f"subjects {answer['outcome']}"] += 1
            else:
                refused[first] = _reason(answer)
        return refused

    def _remember(self, reference: tuple[str, str]) -> None:
        self._known[reference] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _line(self, row: Row) -> dict[str, Any]:
        kind, value = row.references[0]
        return {
            "subject": {"kind": kind, "value": value},
            "category": self._category,
            "reference": row.reference,
            "document": row.document,
        }

    def _outcomes(self, path: str, items: Sequence[Any]) -> list[Mapping[str, Any]]:
        """One outcome per item; lines that an outage or a limit left over are sent again."""
        return list(self._sent(path, items)) if items else []

    def _sent(self, path: str, items: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
        began, done = self._api.now(), 0
        while done < len(items):
            *lines, summary = self._api.bulk(path, items[done:])
            left_over = _NOT_READ | {summary.get("code", "")}
            settled = [line for line in lines if line["outcome"] not in left_over]
            yield from settled
            done += len(settled)
            if "code" in summary:
                seconds = float(summary.get("retry_after") or 5)
                self._api.wait(seconds, str(summary["code"]), since=began)
            elif done < len(items) and not settled:
                raise RestError("The API takes none of these lines; use a smaller --chunk.")


def _reason(answer: Mapping[str, Any]) -> str:
    return f"{answer['outcome']} {reasons(answer.get('errors', []))}".strip()
