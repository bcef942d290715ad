"""The erasure journal in directories: a primary and mirrors, on volumes outside both stores.

A batch of entries is written and fsynced on the primary, then on each mirror, then acknowledged.
So a crash leaves copies that differ by one batch at most; any other difference means that a volume
was restored, exchanged or damaged, and the journal stays closed until a person looks.
"""

import errno
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self
from uuid import UUID

from core import failpoints
from core.logging import get_logger
from core.ports import Signer
from vault.adapters import (
    journal_copy,
    journal_opening,
    journal_summarising,
    journal_summary,
    journal_verifying,
)
from vault.adapters.journal_reader import destructions, hash_at, read_entries, read_head, receipt
from vault.adapters.journal_summary import Summary
from vault.adapters.journal_volume import Position, Volume
from vault.domain.journal import (
    Entry,
    EntryKind,
    InvalidEntryError,
    chained,
    check_body,
    genesis,
)
from vault.errors import JournalLocked, JournalUnavailable
from vault.ports import JournalDraft, JournalReceipt

_log = get_logger(__name__)
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_CLOSED: Final = "The journal is closed."


@dataclass(frozen=True, slots=True)
class Repair:
    """Something mended, and on which copy (0 is the primary); see `docs/formats/journal.md`."""

    what: str
    volume: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Finding:
    """The first wrong entry of one copy (volume 0 is the primary)."""

    volume: int
    text: str


def found(
    directory: Path,
    *,
    mirrors: Sequence[Path] = (),
    now: datetime,
    journal_id: UUID,
    ordinal: int = 0,
    body: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Start a new journal in empty directories, which are created where absent.

    `ordinal` and `body` are those of the genesis entry of a refounded journal.

    Never called by a process that finds its journal missing: an absent journal means closed.
    Raises JournalUnavailable when a directory already holds a journal or cannot be written,
    ValueError for a genesis that is none.
    """
    entry = genesis(journal_id, now=now, ordinal=ordinal, body=body)
    volumes: list[Volume] = []
    try:
        for path in (directory, *mirrors):
            path.mkdir(parents=True, exist_ok=True)
            volumes.append(Volume(path, segment_bytes=1))
            if journal_copy.files(path) or journal_summary.files(path):
                raise JournalUnavailable("A journal is already there.")
        try:
            for volume in volumes:
                volume.append(entry.line(), sequence=0)
        except OSError:
            for volume in volumes:
                volume.rewind((None, 0))
            raise
    except (OSError, InvalidEntryError):
        raise JournalUnavailable("The journal's directories cannot be written.") from None
    finally:
        for volume in volumes:
            volume.close()


class DirectoryJournal:
    """The writer; one per journal, enforced by a lock on every volume. Implements Journal."""

    def __init__(
        self,
        directory: Path,
        *,
        mirrors: Sequence[Path] = (),
        segment_bytes: int = 8 << 20,
        reserve_bytes: int = 1 << 20,
    ) -> None:
        """Open and mend what a crash can leave. Raises JournalUnavailable."""
        self.repairs: list[Repair] = []
        #: A volume is not what it was: this object will never stand again, another one may.
        self.is_lost = False
        self._volumes: list[Volume] = []
        self._dirty: list[Position] | None = None
        try:
            for path in (directory, *mirrors):
                self._volumes.append(Volume(path, segment_bytes=segment_bytes))
            end = journal_opening.open_copies(self._volumes, report=self._report)
            self._last, self._line = end.head, end.line
            for number, volume in enumerate(self._volumes):
                if reserve_bytes and not volume.reserve(reserve_bytes):
                    self._report("reserve-missing", number, self._last.sequence)
        except (OSError, InvalidEntryError, JournalUnavailable) as error:
            self.close()
            if isinstance(error, JournalUnavailable):
                raise
            if isinstance(error, BlockingIOError):
                raise JournalLocked from None
            raise JournalUnavailable(_text(error)) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up the lock; the journal object is of no further use."""
        volumes, self._volumes = self._volumes, []
        for volume in volumes:
            volume.close()

    def append(self, *, kind: str, body: Mapping[str, object], now: datetime) -> JournalReceipt:
        """Append one entry; see `append_many`."""
        return self.append_many([JournalDraft(kind, body)], now=now)[0]

    def append_many(self, drafts: Sequence[JournalDraft], *, now: datetime) -> list[JournalReceipt]:
        """See `vault.ports.Journal`."""
        wanted = [(EntryKind(draft.kind), draft.body) for draft in drafts]
        for kind, body in wanted:
            check_body(kind, body)
            if kind is EntryKind.GENESIS:
                raise ValueError("only found() writes a genesis entry")
        self._stand()
        if not wanted:
            return []
        entries = chained(wanted, after=self._last, now=now)
        try:
            self._write(entries)
        except OSError:
            raise JournalUnavailable from None
        self._last, self._line = entries[-1].head(), entries[-1].line()
        return [receipt(entry.head()) for entry in entries]

    def head(self) -> JournalReceipt:
        """See `vault.ports.Journal`."""
        self._stand()
        return receipt(self._last)

    def entries(self, *, after: int = -1) -> Iterator[Entry]:
        """Acknowledged entries with a sequence above `after`. Raises JournalUnavailable."""
        last = self.head().sequence
        for entry in read_entries(self._volumes[0].directory, after=after):
            if entry.sequence > last:
                return
            yield entry

    def hash_at(self, *, sequence: int) -> bytes | None:
        """See `vault.ports.JournalReader`."""
        last = self.head()
        if sequence >= last.sequence:
            return last.hash if sequence == last.sequence else None
        return hash_at(self._volumes[0].directory, sequence=sequence)

    def destructions(self, *, after_ordinal: int) -> Iterator[Entry]:
        """See `vault.ports.JournalReader`."""
        last = self.head().sequence
        for entry in destructions(self._volumes[0].directory, after_ordinal=after_ordinal):
            if entry.sequence > last:
                return
            yield entry

    def verify(self) -> list[Finding]:
        """Walk every copy again; the first wrong entry of each, none when all agree."""
        reports = journal_verifying.verify([volume.directory for volume in self._volumes])
        findings = []
        for number, report in enumerate(reports):
            if report.wrong:
                findings.append(Finding(number, report.wrong))
            elif report.last is None or report.last.hash != self._last.hash:
                findings.append(Finding(number, "the copy does not end with the last entry"))
        return findings

    def summarise(
        self, *, before: datetime, settled: int, signer: Signer, now: datetime
    ) -> Summary | None:
        """Replace whole segments by one signed summary; None when none is old enough.

        A segment may go when each of its entries is older than `before` and counts at most
        `settled` destructions, and when it is not the last. The caller answers that no backup of
        the database or the key store is older than `before`, and that those destructions were
        settled by then. Raises JournalUnavailable, Unavailable from the signer.
        """
        self._stand()
        try:
            summary = journal_summarising.compose(
                self._volumes, before=before, settled=settled, signer=signer, now=now
            )
            if summary is not None:
                # From here on the next opening finishes what is cut short.
                self._volumes[0].put(summary.name, summary.content)
                failpoints.reach("vault.journal.summary-written")
                journal_opening.settle_summaries(self._volumes, report=lambda *_: None)
        except (OSError, InvalidEntryError) as error:
            raise JournalUnavailable(_text(error)) from None
        return summary

    def _stand(self) -> None:
        """Cut what a failed append left, and see that every volume ends where it should."""
        if not self._volumes:
            raise JournalUnavailable(_CLOSED)
        try:
            self._mend()
            for volume in self._volumes:
                volume.check(self._line)
        except OSError:
            self.is_lost = True
            raise JournalUnavailable("A volume of the journal is gone or was changed.") from None

    def _write(self, entries: Sequence[Entry]) -> None:
        lines, sequence = b"".join(entry.line() for entry in entries), entries[0].sequence
        try:
            self._write_once(lines, sequence)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            released = [volume.release_reserve() for volume in self._volumes]
            if not any(released):
                raise
            # The space was held back for this: an erasure must not wait for a bigger disk.
            self._report("reserve-used", 0, sequence)
            self._mend()
            self._write_once(lines, sequence)

    def _write_once(self, lines: bytes, sequence: int) -> None:
        self._dirty = [volume.position() for volume in self._volumes]
        for volume in self._volumes:
            volume.append(lines, sequence=sequence)
            failpoints.reach("vault.journal.volume-written")
        self._dirty = None

    def _mend(self) -> None:
        """Cut what a failed append left behind: its caller was told that nothing was written.

        Cutting and writing anew is also what a failed fsync asks for, after which the system may
        hold pages as clean that never reached the disk.
        """
        if self._dirty is None:
            return
        for volume, position in zip(self._volumes, self._dirty, strict=True):
            volume.rewind(position)
        self._dirty = None

    def _report(self, what: str, volume: int, sequence: int) -> None:
        self.repairs.append(Repair(what, volume, sequence))
        _log.warning("journal.repaired", kind=what, node=f"volume-{volume}", count=sequence)


def _text(error: Exception) -> str:
    if isinstance(error, InvalidEntryError):
        return str(error)
    return "The journal's directories cannot be read or written."


__all__ = ["DirectoryJournal", "Finding", "Repair", "found", "read_entries", "read_head"]
