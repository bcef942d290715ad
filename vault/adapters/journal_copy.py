"""Reading one copy of the journal: its segment files and the summary of those that are gone.

A segment `<first sequence, 20 digits>.jsonl` has one line per entry. Reads only; needs no lock.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from vault.adapters import journal_summary
from vault.adapters.journal_summary import Summary
from vault.domain.gate import Head
from vault.domain.journal import Entry, InvalidEntryError, check_body, check_follows, parse
from vault.errors import JournalUnavailable

SUFFIX: Final = ".jsonl"
_DIGITS: Final = 20
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Layout:
    """What a directory holds: the summary, if any, and the segments after it, in order."""

    summary: Summary | None
    segments: tuple[Path, ...]

    @property
    def start(self) -> Head | None:
        """What the first segment's first entry follows; None for the genesis."""
        return None if self.summary is None else self.summary.head

    @property
    def kept_from(self) -> int:
        """The first sequence that is there as an entry."""
        return 0 if self.summary is None else self.summary.head.sequence + 1


@dataclass(frozen=True, slots=True)
class Scan:
    """How far a stretch of bytes can be read.

    The entries up to `last` fill `length` bytes; `wrong` says why what follows is no entry.
    """

    last: Entry | None
    length: int
    wrong: str


def name_of(sequence: int) -> str:
    """Name of the segment that starts with the entry of this sequence."""
    return f"{sequence:0{_DIGITS}d}{SUFFIX}"


def first_of(path: Path) -> int:
    """The first sequence of a segment, by its name. Raises InvalidEntryError."""
    if len(path.stem) != _DIGITS or not (path.stem.isascii() and path.stem.isdigit()):
        raise InvalidEntryError(f"{path.name} is no segment of the journal")
    return int(path.stem)


def files(directory: Path) -> list[Path]:
    """Every segment file in order, summarised or not. Raises OSError, InvalidEntryError."""
    paths = sorted(path for path in directory.iterdir() if path.suffix == SUFFIX)
    for path in paths:
        first_of(path)
    return paths


def layout(directory: Path) -> Layout:
    """See `Layout`. Raises OSError, InvalidEntryError."""
    summary = journal_summary.newest(directory)
    start = -1 if summary is None else summary.head.sequence
    return Layout(summary, tuple(path for path in files(directory) if first_of(path) > start))


def scan(content: bytes, before: Head | None) -> Scan:
    """Read entries that follow `before` from whole lines, as far as they are right."""
    last: Entry | None = None
    length, wrong = 0, ""
    for line in BytesIO(content):
        try:
            last = checked(line, before)
        except InvalidEntryError as error:
            wrong = str(error)
            break
        length += len(line)
        before = last.head()
    return Scan(last, length, wrong)


def readable(content: bytes) -> list[Entry]:
    """Every entry in a stretch of bytes, whether or not it follows anything."""
    entries = []
    for line in BytesIO(content):
        with suppress(InvalidEntryError):
            entries.append(parse(line))
    return entries


def checked(line: bytes, before: Head | None) -> Entry:
    """The entry in `line`, which follows `before`; the error says which entry is wrong."""
    expected = 0 if before is None else before.sequence + 1
    if not line.endswith(b"\n"):
        raise InvalidEntryError(f"entry {expected}: the line is cut short")
    try:
        entry = parse(line)
        check_follows(entry, before)
    except InvalidEntryError as error:
        raise InvalidEntryError(f"entry {expected}: {error}") from None
    return entry


def verified(line: bytes, before: Head | None) -> Entry:
    """As `checked`, and the body says nothing that its kind may not say."""
    entry = checked(line, before)
    try:
        check_body(entry.kind, entry.body)
    except ValueError as error:
        raise InvalidEntryError(f"entry {entry.sequence}: {error}") from None
    return entry


def read(directory: Path, *, after: int = -1) -> Iterator[Entry]:
    """Entries with a sequence above `after`, each checked against the one before.

    A torn last line ends the reading. Raises InvalidEntryError at the first wrong entry (its text
    says which), JournalUnavailable when entries asked for exist only in a summary, OSError.
    """
    found = layout(directory)
    if after + 1 < found.kept_from:
        raise JournalUnavailable(
            f"Entries up to {found.kept_from - 1} of the journal are only there as a summary."
        )
    if not found.segments:
        raise InvalidEntryError("the journal is absent or empty")
    at = _index_of(found.segments, after + 1)
    before = _last_head(found.segments[:at], found.start)
    for path in found.segments[at:]:
        is_last = path == found.segments[-1]
        for number, line in enumerate(_lines(path), start=first_of(path)):
            if is_last and not line.endswith(b"\n"):
                return
            if number < after:
                continue  # not asked for: only what the first entry follows is read
            if number == after:
                before = _numbered(line, number).head()
                continue
            entry = checked(line, before)
            before = entry.head()
            yield entry


def _numbered(line: bytes, number: int) -> Entry:
    entry = parse(line)
    if entry.sequence != number:
        raise InvalidEntryError(f"entry {number}: another entry stands in its place")
    return entry


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _index_of(segments: Sequence[Path], sequence: int) -> int:
    """Which segment holds the sequence, or would: the last that starts at or below it."""
    return max(0, sum(first_of(path) <= sequence for path in segments) - 1)


def _last_head(segments: Sequence[Path], start: Head | None) -> Head | None:
    last = last_entry(segments)
    return start if last is None else last.head()


def head(directory: Path) -> Head:
    """The last entry's head from the end of the last segment: one line is read and checked.

    Raises InvalidEntryError, OSError.
    """
    found = layout(directory)
    read_head = _last_head(found.segments, found.start)
    if read_head is None:
        raise InvalidEntryError("the journal is absent or empty")
    return read_head


def last_entry(segments: Sequence[Path]) -> Entry | None:
    """The last whole entry of these segments. Raises InvalidEntryError, OSError."""
    for path in reversed(segments):
        line = last_line(path)
        if line:
            return parse(line)
    return None


def last_line(path: Path) -> bytes:
    """The last line that ends with a line feed, or nothing."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        reach = _CHUNK
        while True:
            start = max(0, size - reach)
            file.seek(start)
            end = (content := file.read(size - start)).rfind(b"\n") + 1
            begin = content.rfind(b"\n", 0, max(0, end - 1)) + 1
            if start == 0 or begin:
                return content[begin:end]
            reach *= 4


def hash_at(directory: Path, sequence: int) -> bytes | None:
    """The chain's hash at an entry, from its one line; None when there is no such entry.

    Raises InvalidEntryError, OSError, JournalUnavailable when only a summary tells of it.
    """
    summary = journal_summary.newest(directory)
    if summary is not None and sequence == summary.head.sequence:
        return summary.head.hash
    entry = next(read(directory, after=sequence - 1), None)
    return None if entry is None or entry.sequence != sequence else entry.hash()
