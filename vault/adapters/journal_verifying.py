"""Verifying every copy of a journal whole: each line, each body, each file; needs no lock.

Beside a running writer it may find a line that is being written, or a mirror one batch behind:
these are said as repairs that the next opening would make, not as wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path

from vault.adapters import journal_copy
from vault.adapters.journal_copy import Layout
from vault.adapters.journal_summary import Summary
from vault.domain.gate import Head
from vault.domain.journal import InvalidEntryError
from vault.errors import JournalUnavailable


@dataclass(slots=True)
class CopyReport:
    """What was found in one copy: `entries` are those kept, `wrong` names the first wrong one."""

    directory: Path
    summary: Summary | None = None
    entries: int = 0
    first: int | None = None
    last: Head | None = None
    wrong: str = ""
    repairs: list[str] = field(default_factory=list)


def verify(directories: Sequence[Path]) -> list[CopyReport]:
    """A report for each copy, in order."""
    reports = [_walk(directory) for directory in directories]
    _compare_summaries(reports)
    right = [report for report in reports if not report.wrong and report.last is not None]
    if right:
        longest = max(right, key=lambda report: report.last.sequence if report.last else -1)
        for report in right:
            _compare(report, longest)
    return reports


def _walk(directory: Path) -> CopyReport:
    report = CopyReport(directory)
    try:
        found = journal_copy.layout(directory)
        report.summary, report.last = found.summary, found.start
        _files(report, found)
        _segments(report, found)
        if not report.entries:
            report.wrong = "the journal is absent or empty"
    except InvalidEntryError as error:
        report.wrong = str(error)
    except OSError:
        report.wrong = "the directory cannot be read"
    return report


def _files(report: CopyReport, found: Layout) -> None:
    names = {path.name for path in report.directory.iterdir()}
    if "reserve" not in names:
        report.repairs.append("no space is held in reserve")
    if found.summary is None:
        return
    old = [path for path in journal_copy.files(report.directory) if path not in found.segments]
    for path in old:
        digest = sha256(path.read_bytes()).hexdigest()
        if found.summary.segments.get(path.name) != digest:
            raise InvalidEntryError(f"{path.name} is not the segment that was summarised")
    if old:
        report.repairs.append(f"{len(old)} summarised segments are still there")


def _segments(report: CopyReport, found: Layout) -> None:
    for path in found.segments:
        expected = 0 if report.last is None else report.last.sequence + 1
        if journal_copy.first_of(path) != expected:
            raise InvalidEntryError(f"entry {expected}: no segment starts with it")
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n") and path == found.segments[-1]:
                    report.repairs.append(f"a torn line of {len(line)} bytes at the end")
                    return
                entry = journal_copy.verified(line, report.last)
                report.entries += 1
                report.first = entry.sequence if report.first is None else report.first
                report.last = entry.head()


def _compare_summaries(reports: Sequence[CopyReport]) -> None:
    there = [report.summary for report in reports if report.summary is not None]
    if not there:
        return
    newest = max(there, key=lambda summary: summary.head.sequence)
    for report in reports:
        if report.summary is None or report.summary.head.sequence < newest.head.sequence:
            report.repairs.append("lacks the newest summary")
        elif report.summary.content != newest.content:
            report.wrong = report.wrong or "the copies have different summaries"


def _compare(report: CopyReport, longest: CopyReport) -> None:
    if report is longest or report.last is None or longest.last is None:
        return
    try:
        at_end = journal_copy.hash_at(longest.directory, report.last.sequence)
        if at_end != report.last.hash:
            report.wrong = f"entry {_first_difference(report, longest)}: the copies differ"
            return
        lacking = list(journal_copy.read(longest.directory, after=report.last.sequence))
    except (OSError, InvalidEntryError, JournalUnavailable):
        report.wrong = "the copies cannot be compared"
        return
    if len({entry.batch_end for entry in lacking}) > 1:
        report.wrong = f"entry {lacking[0].sequence}: it and others are missing"
    elif lacking:
        report.repairs.append(f"lacks the last batch, {len(lacking)} entries")


def _first_difference(report: CopyReport, longest: CopyReport) -> int:
    after = max(
        -1 if one.summary is None else one.summary.head.sequence for one in (report, longest)
    )
    copies = (journal_copy.read(one.directory, after=after) for one in (report, longest))
    for mine, other in zip_longest(*copies):
        if mine is None or other is None or mine.hash() != other.hash():
            return after + 1
        after = mine.sequence
    return after
