"""Opening the copies of a journal: which is right, what a crash can have left, and mending that.

Read whole are the last two segments of every copy; older ones are compared by name and size.
A batch lies in one segment, so a crash can only have touched these two. Anything that a crash
does not explain keeps the journal closed until a person looks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from core import failpoints
from vault.adapters import journal_copy, journal_summary
from vault.adapters.journal_copy import Layout, Scan
from vault.adapters.journal_summary import Summary
from vault.adapters.journal_volume import Position, Volume
from vault.domain.gate import Head
from vault.domain.journal import InvalidEntryError
from vault.errors import JournalUnavailable

#: Called with what was mended, the number of the copy, and the journal's last sequence.
Report = Callable[[str, int, int], None]
_Memo = dict[tuple[str, bytes, Head | None], Scan]
_DISAGREE = "The journal and its mirrors do not agree."
_ABSENT = "The journal or a mirror of it is absent or empty."


@dataclass(slots=True)
class _Copy:
    """The last two segments of one copy: the lines that can be read, and what follows them."""

    volume: Volume
    head: Head | None
    last_line: bytes = b""
    position: Position = (None, 0)
    lines: bytes = b""
    rest: bytes = b""
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """Where every copy ends once it is mended."""

    head: Head
    line: bytes


def open_copies(volumes: Sequence[Volume], *, report: Report) -> End:
    """Compare and mend. Raises JournalUnavailable, InvalidEntryError, OSError."""
    settle_summaries(volumes, report=report)
    layouts = [journal_copy.layout(volume.directory) for volume in volumes]
    if not all(found.segments for found in layouts):
        raise JournalUnavailable(_ABSENT)
    names = sorted({path.name for found in layouts for path in found.segments})
    older, recent = names[:-2], names[-2:]
    for found in layouts:
        _check_first(found)
    before = _compare_older(volumes, older) or layouts[0].start
    memo: _Memo = {}
    copies = [_read(volume, recent, before, memo) for volume in volumes]
    longest = max(copies, key=lambda copy: -1 if copy.head is None else copy.head.sequence)
    if longest.head is None or not longest.lines:
        raise InvalidEntryError(longest.wrong)
    for copy in copies:
        _check(copy, longest, copies)
    for number, copy in enumerate(copies):
        for what in _mend(copy, longest):
            report(what, number, longest.head.sequence)
    return End(longest.head, longest.last_line)


def _check_first(found: Layout) -> None:
    """The first entry kept follows the summary, or is the genesis."""
    with found.segments[0].open("rb") as file:
        line = file.readline()
    if line.endswith(b"\n"):
        journal_copy.checked(line, found.start)


def _compare_older(volumes: Sequence[Volume], names: Sequence[str]) -> Head | None:
    """Same names, same sizes, same last line; the head at the end of these segments."""
    paths: list[Path] = []
    try:
        for name in names:
            paths = [volume.directory / name for volume in volumes]
            if len(sizes := {path.stat().st_size for path in paths}) > 1 or 0 in sizes:
                raise JournalUnavailable(_DISAGREE)
    except FileNotFoundError:
        raise JournalUnavailable(_DISAGREE) from None
    if len({journal_copy.last_line(path) for path in paths}) > 1:
        raise JournalUnavailable(_DISAGREE)
    last = journal_copy.last_entry(paths[:1])
    return None if last is None else last.head()


def _read(volume: Volume, names: Sequence[str], before: Head | None, memo: _Memo) -> _Copy:
    copy = _Copy(volume, before)
    for name in names:
        path = volume.directory / name
        content = path.read_bytes() if path.exists() else b""
        if not content:
            continue
        expected = 0 if copy.head is None else copy.head.sequence + 1
        if copy.rest:
            raise InvalidEntryError(copy.wrong)
        if journal_copy.first_of(path) != expected:
            raise JournalUnavailable(_DISAGREE)
        key = name, content, copy.head
        found = memo[key] = memo.get(key) or journal_copy.scan(content, copy.head)
        copy.lines += content[: found.length]
        copy.rest, copy.wrong = content[found.length :], found.wrong
        if found.last is not None:
            copy.head, copy.last_line = found.last.head(), found.last.line()
            copy.position = path, found.length
    return copy


def _check(copy: _Copy, longest: _Copy, copies: Sequence[_Copy]) -> None:
    """The copy lacks one batch at most, and what cannot be read was never acknowledged.

    An acknowledged batch is whole on every volume. So a line cut short, or a batch that lost some
    of its blocks to a power failure, may go when another copy can be read to its end: either that
    one has the batch, or it shows that the batch had not reached it.
    """
    if not longest.lines.startswith(copy.lines):
        raise JournalUnavailable(_DISAGREE)
    lacking = journal_copy.readable(longest.lines[len(copy.lines) :])
    if len(ends := {entry.batch_end for entry in lacking}) > 1:
        raise JournalUnavailable(_DISAGREE)
    if b"\n" in copy.rest:
        ends |= {entry.batch_end for entry in journal_copy.readable(copy.rest)}
        is_elsewhere = any(one is not copy and b"\n" not in one.rest for one in copies)
        if not is_elsewhere or len(ends) > 1:
            raise InvalidEntryError(copy.wrong)


def _mend(copy: _Copy, longest: _Copy) -> list[str]:
    """Bring the copy to the end of the longest; what was mended."""
    done = []
    volume, (segment, _) = copy.volume, copy.position
    volume.adopt(copy.position)
    if copy.rest:
        sequence = -1 if copy.head is None else copy.head.sequence
        volume.save_aside(copy.rest, sequence=sequence + 1)
        volume.cut()
        done.append("torn-tail-cut")
    for path in journal_copy.files(volume.directory):
        if segment is None or path.name > segment.name:
            volume.remove(path)  # nothing of it can be read
    for half in volume.directory.glob("*.half"):
        volume.remove(half)
    volume.sync()
    if lacking := longest.lines[len(copy.lines) :]:
        (first, *_) = journal_copy.readable(lacking)
        wanted = longest.position[0]
        if wanted is not None and (segment is None or segment.name != wanted.name):
            volume.adopt((volume.directory / wanted.name, 0))
        volume.append(lacking, sequence=first.sequence)
        done.append("caught-up")
    return done


def settle_summaries(volumes: Sequence[Volume], *, report: Report) -> None:
    """Bring every copy to the newest summary there is, then remove what it stands for.

    So the removal of old segments, once begun, is finished by the next opening. Raises
    JournalUnavailable, InvalidEntryError, OSError.
    """
    own = [journal_summary.newest(volume.directory) for volume in volumes]
    there = [summary for summary in own if summary is not None]
    if not there:
        return
    newest = max(there, key=lambda summary: summary.head.sequence)
    for volume, summary in zip(volumes, own, strict=True):
        _check_summary(volume, summary, newest)
    for number, (volume, summary) in enumerate(zip(volumes, own, strict=True)):
        if summary is None or summary.content != newest.content:
            volume.put(newest.name, newest.content)
            failpoints.reach("vault.journal.summary-written")
            report("summary-caught-up", number, newest.head.sequence)
    for number, volume in enumerate(volumes):
        if _remove_summarised(volume, newest):
            report("segments-removed", number, newest.head.sequence)


def _check_summary(volume: Volume, own: Summary | None, newest: Summary) -> None:
    """The copy has this summary, or every segment that it lacks to have it, byte for byte."""
    had = {} if own is None else own.segments
    is_newest = own is not None and own.head.sequence == newest.head.sequence
    if own is not None and is_newest and own.content != newest.content:
        raise JournalUnavailable(_DISAGREE)
    if not had.items() <= newest.segments.items():
        raise JournalUnavailable(_DISAGREE)
    here = {path.name: path for path in journal_copy.files(volume.directory)}
    for name, digest in newest.segments.items():
        if name in here:
            if sha256(here[name].read_bytes()).hexdigest() != digest:
                raise InvalidEntryError(f"{name} is not the segment that was summarised")
        elif name not in had:
            raise JournalUnavailable(_DISAGREE)


def _remove_summarised(volume: Volume, newest: Summary) -> bool:
    gone = [path for path in journal_copy.files(volume.directory) if path.name in newest.segments]
    older = [path for path in journal_summary.files(volume.directory) if path.name != newest.name]
    for path in (*gone, *older):
        volume.remove(path)
        failpoints.reach("vault.journal.segment-removed")
    if gone or older:
        volume.sync()
    return bool(gone or older)
