"""The erasure journal in directories: a primary and mirrors, on volumes outside both stores.

An entry is written and fsynced on the primary, then on each mirror, then acknowledged. So a crash
leaves copies that differ by one entry at most; any other difference means that a volume was
restored, exchanged or damaged, and the journal stays closed until a person looks.
"""

import errno
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Final, Self

from vault.adapters import journal_volume
from vault.adapters.journal_volume import Tail, Volume
from vault.domain.journal import (
    NO_HASH,
    Entry,
    EntryKind,
    InvalidEntryError,
    check_body,
    next_ordinal,
)
from vault.errors import JournalUnavailable
from vault.ports import JournalDraft, JournalReceipt

_log = logging.getLogger(__name__)
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class Repair:
    """Something that opening mended: `torn-tail-cut`, `entry-caught-up` or `reserve-missing`."""

    what: str
    volume: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Finding:
    """The first wrong entry of one copy (volume 0 is the primary)."""

    volume: int
    text: str


def found(
    directory: Path, *, mirrors: Sequence[Path] = (), now: datetime, journal_id: uuid.UUID
) -> None:
    """Start a new journal in empty directories, which are created where absent.

    Never called by a process that finds its journal missing: an absent journal means closed.
    Raises JournalUnavailable when a directory already holds a journal or cannot be written.
    """
    genesis = Entry(journal_id, 0, NO_HASH, EntryKind.GENESIS, now, {})
    volumes: list[Volume] = []
    try:
        for path in (directory, *mirrors):
            path.mkdir(parents=True, exist_ok=True)
            volumes.append(Volume(path, segment_bytes=1))
            if journal_volume.segments(path):
                raise JournalUnavailable("A journal is already there.")
        for volume in volumes:
            volume.append(genesis)
    except OSError:
        raise JournalUnavailable("The journal's directories cannot be written.") from None
    finally:
        for volume in volumes:
            volume.close()


def read_entries(directory: Path, *, after: int = -1) -> Iterator[Entry]:
    """Entries with a sequence above `after`, without the writer's lock: for other processes.

    May end before an entry that is being written. Raises JournalUnavailable.
    """
    try:
        for entry in journal_volume.read(directory):
            if entry.sequence > after:
                yield entry
    except (OSError, InvalidEntryError):
        raise JournalUnavailable("The journal cannot be read.") from None


class DirectoryJournal:
    """The writer; one per journal, enforced by a lock on every volume."""

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
        self._reserve_bytes = reserve_bytes
        self._volumes: list[Volume] = []
        self._dirty: list[tuple[Path | None, int]] | None = None
        try:
            for path in (directory, *mirrors):
                self._volumes.append(Volume(path, segment_bytes=segment_bytes))
            self._last = self._open()
        except (OSError, InvalidEntryError, JournalUnavailable) as error:
            self.close()
            if isinstance(error, JournalUnavailable):
                raise
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
        for draft in drafts:
            check_body(EntryKind(draft.kind), draft.body)
            if EntryKind(draft.kind) is EntryKind.GENESIS:
                raise ValueError("only found() writes a genesis entry")
        if not self._volumes:
            raise JournalUnavailable("The journal is closed.")
        try:
            self._mend()
            entries = self._chained(drafts, now)
            self._write(entries)
        except OSError:
            raise JournalUnavailable from None
        self._last = entries[-1]
        return [_receipt(entry) for entry in entries]

    def _chained(self, drafts: Sequence[JournalDraft], now: datetime) -> list[Entry]:
        entries, last = [], self._last
        for draft in drafts:
            kind = EntryKind(draft.kind)
            last = Entry(
                last.journal_id, last.sequence + 1, last.hash(), kind, now, draft.body,
                next_ordinal(kind, last),
            )  # fmt: skip
            entries.append(last)
        return entries

    def head(self) -> JournalReceipt:
        """See `vault.ports.Journal`."""
        if not self._volumes:
            raise JournalUnavailable("The journal is closed.")
        return _receipt(self._last)

    def entries(self, *, after: int = -1) -> Iterator[Entry]:
        """Acknowledged entries with a sequence above `after`. Raises JournalUnavailable."""
        last = self._last.sequence
        for entry in read_entries(self._volumes[0].directory, after=after):
            if entry.sequence > last:
                return
            yield entry

    def verify(self) -> list[Finding]:
        """Walk every copy again; the first wrong entry of each, none when all agree."""
        findings = []
        for number, volume in enumerate(self._volumes):
            try:
                found = journal_volume.tail(volume.directory)
            except (OSError, InvalidEntryError) as error:
                findings.append(Finding(number, _text(error)))
                continue
            if found.last is None or found.last.hash() != self._last.hash():
                findings.append(Finding(number, "the copy does not end with the last entry"))
        return findings

    def _open(self) -> Entry:
        tails = [journal_volume.tail(volume.directory) for volume in self._volumes]
        entries = [found.last for found in tails if found.last is not None]
        if not entries or len(entries) != len(tails):
            raise JournalUnavailable("The journal or a mirror of it is absent or empty.")
        last = max(entries, key=lambda entry: entry.sequence)
        self._compare(last)
        for number, (volume, found) in enumerate(zip(self._volumes, tails, strict=True)):
            self._mend_copy(number, volume, found, last)
            if self._reserve_bytes and not volume.reserve(self._reserve_bytes):
                self._report("reserve-missing", number, last.sequence)
        return last

    def _compare(self, last: Entry) -> None:
        """Every copy must be the longest one, or lack its last entry."""
        copies = [journal_volume.read(volume.directory) for volume in self._volumes]
        for rows in zip_longest(*copies):
            present = {row.hash() for row in rows if row is not None}
            behind = any(row is None for row in rows)
            at_end = any(row is not None and row.sequence == last.sequence for row in rows)
            if len(present) > 1 or (behind and not at_end):
                raise JournalUnavailable("The journal and its mirrors do not agree.")

    def _mend_copy(self, number: int, volume: Volume, found: Tail, last: Entry) -> None:
        volume.adopt(found)
        if found.torn:
            volume.save_aside(found.torn, sequence=last.sequence)
            volume.cut()
            self._report("torn-tail-cut", number, last.sequence)
        if found.last is None or found.last.sequence < last.sequence:
            volume.append(last)
            self._report("entry-caught-up", number, last.sequence)

    def _write(self, entries: Sequence[Entry]) -> None:
        try:
            self._write_once(entries)
        except OSError as error:
            if error.errno not in _FULL or not self._each(Volume.release_reserve):
                raise
            # The space was held back for this: an erasure must not wait for a bigger disk.
            self._report("reserve-used", 0, entries[0].sequence)
            self._mend()
            self._write_once(entries)

    def _write_once(self, entries: Sequence[Entry]) -> None:
        self._dirty = [volume.position() for volume in self._volumes]
        for volume in self._volumes:
            volume.append(*entries)
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

    def _each(self, act: Callable[[Volume], bool]) -> bool:
        return any([act(volume) for volume in self._volumes])  # noqa: C419  all of them, always

    def _report(self, what: str, volume: int, sequence: int) -> None:
        self.repairs.append(Repair(what, volume, sequence))
        _log.warning("journal-repair", extra={"what": what, "volume": volume, "seq": sequence})


def _receipt(entry: Entry) -> JournalReceipt:
    return JournalReceipt(entry.journal_id, entry.sequence, entry.hash(), entry.ordinal)


def _text(error: Exception) -> str:
    if isinstance(error, InvalidEntryError):
        return str(error)
    if isinstance(error, BlockingIOError):
        return "Another process writes this journal."
    return "The journal's directories cannot be read or written."
