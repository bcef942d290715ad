"""The signed summary that stands in a copy of the journal for segments older than every backup.

It is a file `<last sequence, 20 digits>.summary.json`: an in-toto statement in a DSSE envelope.
Whoever reads the chain takes journal, sequence, hash and ordinal from it unverified: the entry
that follows contains all four. What the signature adds is who removed the segments, which, and
when; `manage.py journal verify` checks it.
"""

import base64
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from core import canonical, dsse
from core.ports import Signer, VerifyingKey
from vault.domain.gate import Head
from vault.domain.journal import Entry, EntryKind, InvalidEntryError

SUFFIX: Final = ".summary.json"
PREDICATE_TYPE: Final = "urn:lethe:journal-summary:v1"


@dataclass(frozen=True, slots=True)
class Summary:
    """Entries 0 to `head.sequence`: how many of each kind, in which segments, from when to when.

    `segments` has the name and hex SHA-256 of every segment removed. `content` is the file.
    """

    head: Head
    counts: Mapping[str, int]
    segments: Mapping[str, str]
    genesis: Mapping[str, Any]
    first_at: datetime
    last_at: datetime
    content: bytes

    @property
    def name(self) -> str:
        """Its file name."""
        return f"{self.head.sequence:020d}{SUFFIX}"


@dataclass(frozen=True, slots=True)
class Part:
    """One segment that a summary is to stand for."""

    name: str
    sha256: str
    counts: Mapping[str, int]
    first: Entry
    last: Entry


def compose(
    older: Summary | None, parts: Sequence[Part], *, signer: Signer, now: datetime
) -> Summary:
    """Sign a summary of everything in `older` and in the segments `parts` after it.

    Raises Unavailable from the signer.
    """
    first, last = parts[0].first, parts[-1].last
    counts: Counter[str] = Counter(older.counts if older else {})
    for part in parts:
        counts.update(part.counts)
    segments = dict(older.segments if older else {})
    segments.update((part.name, part.sha256) for part in parts)
    predicate = {
        "journal_id": str(last.journal_id),
        "first_sequence": 0,
        "last_sequence": last.sequence,
        "hash": last.hash().hex(),
        "ordinal": last.ordinal,
        "counts": dict(counts),
        "genesis": dict(older.genesis if older else first.body),
        "first_at": canonical.instant(older.first_at if older else first.at),
        "last_at": canonical.instant(last.at),
        "summarised_at": canonical.instant(now),
    }
    statement = dsse.statement(
        predicate_type=PREDICATE_TYPE, subjects=sorted(segments.items()), predicate=predicate
    )
    return decode(canonical.encode(dsse.envelope(statement, signer=signer)) + b"\n")


def decode(content: bytes) -> Summary:
    """Read a summary file; the signature is not looked at. Raises InvalidEntryError."""
    try:
        statement = json.loads(base64.b64decode(json.loads(content)["payload"], validate=True))
        predicate = statement["predicate"]
        summary = Summary(
            head=Head(
                UUID(predicate["journal_id"]),
                int(predicate["last_sequence"]),
                bytes.fromhex(predicate["hash"]),
                int(predicate["ordinal"]),
            ),
            counts={EntryKind(kind).value: int(n) for kind, n in predicate["counts"].items()},
            segments={item["name"]: item["digest"]["sha256"] for item in statement["subject"]},
            genesis=dict(predicate["genesis"]),
            first_at=canonical.parse_instant(predicate["first_at"]),
            last_at=canonical.parse_instant(predicate["last_at"]),
            content=content,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidEntryError("the summary is malformed") from None
    if statement.get("predicateType") != PREDICATE_TYPE:
        raise InvalidEntryError("the summary is of another type")
    if sum(summary.counts.values()) != summary.head.sequence + 1:
        raise InvalidEntryError("the summary does not count its entries")
    return summary


def files(directory: Path) -> list[Path]:
    """Every summary, oldest first; more than one only where removal was cut short."""
    return sorted(path for path in directory.iterdir() if path.name.endswith(SUFFIX))


def newest(directory: Path) -> Summary | None:
    """The summary in force. Raises OSError, InvalidEntryError."""
    paths = files(directory)
    if not paths:
        return None
    summary = decode(paths[-1].read_bytes())
    if summary.name != paths[-1].name:
        raise InvalidEntryError("the summary does not bear its own name")
    return summary


def verify(summary: Summary, *, keys: Sequence[VerifyingKey]) -> None:
    """Raise EnvelopeInvalid unless one of `keys` signed it."""
    dsse.verify(json.loads(summary.content), keys=keys)
