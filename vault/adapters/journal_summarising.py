"""Choosing the segments that a summary may stand for, each verified on every copy first."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from core.ports import Signer
from vault.adapters import journal_copy, journal_summary
from vault.adapters.journal_summary import Part, Summary
from vault.adapters.journal_volume import Volume
from vault.domain.gate import Head
from vault.domain.journal import Entry, InvalidEntryError


def compose(
    volumes: Sequence[Volume], *, before: datetime, settled: int, signer: Signer, now: datetime
) -> Summary | None:
    """The summary of the segments that may go; nothing is written or removed here.

    Raises InvalidEntryError when a segment is wrong or differs on a mirror, OSError.
    """
    primary, *mirrors = volumes
    found = journal_copy.layout(primary.directory)
    parts: list[Part] = []
    follows = found.start
    for path in found.segments[:-1]:
        part = _part(path, follows)
        if part is None or part[1] >= before or part[0].last.ordinal > settled:
            break
        parts.append(part[0])
        follows = part[0].last.head()
        for mirror in mirrors:
            copy = mirror.directory / path.name
            if sha256(copy.read_bytes()).hexdigest() != part[0].sha256:
                raise InvalidEntryError(f"{path.name} differs on a mirror")
    if not parts:
        return None
    return journal_summary.compose(found.summary, parts, signer=signer, now=now)


def _part(path: Path, follows: Head | None) -> tuple[Part, datetime] | None:
    """A segment whose every entry is right, and the time of its youngest entry."""
    content = path.read_bytes()
    counts: Counter[str] = Counter()
    entries: list[Entry] = []
    for line in BytesIO(content):
        entry = journal_copy.verified(line, follows)
        counts[entry.kind.value] += 1
        follows = entry.head()
        entries.append(entry)
    if not entries:
        return None
    youngest = max(entry.at for entry in entries)
    digest = sha256(content).hexdigest()
    return Part(path.name, digest, dict(counts), entries[0], entries[-1]), youngest
