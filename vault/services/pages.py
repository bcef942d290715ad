"""Records out: keyset pages for a purpose.

A page obeys what was committed before its SELECT, whatever this process has cached. A stream
selects the next page while the last one is on its way, and drops it unless its turn comes within
`LETHE_READ_AHEAD`: so long after a withdrawal a page may still have the subject.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.conf import settings

from core.unit_of_work import no_open_transaction
from vault.errors import PageTooLate
from vault.services import page_opening, page_rows
from vault.services.page_opening import PageGroup, PageRow
from vault.services.page_rows import Selected, Wanted
from vault.services.read_ahead import ReadAhead

PAGE_ROWS = 1000
#: Data keys of a stream's first page, while nobody knows how many records each has.
_FIRST_GROUPS: Final = 250
_FIRST: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the next one begins after it. Names a record, so never shown in clear.

    It names no data key, so that it stays where it is when a re-key gives the category another.
    """

    alias: UUID
    category: UUID
    record: UUID


@dataclass(frozen=True, slots=True)
class Page:
    """Groups in alias order; `last` is None when the split is read to its end.

    `deadline` is on the monotonic clock of this process.
    """

    groups: list[PageGroup]
    records: int
    last: Position | None
    deadline: float

    @property
    def rows(self) -> list[PageRow]:
        """The records, each by itself."""
        return [row for group in self.groups for row in group.rows()]

    def require_in_time(self) -> None:
        """Raise PageTooLate unless the page may still be written.

        An erasure outwaits LETHE_PAGE_DEADLINE after its fence, so a page selected before the
        fence must not leave later than that.
        """
        if time.monotonic() > self.deadline:
            raise PageTooLate


class PageReader:
    """The pages of one stream, in order. `split` (i, n) takes the i-th of n ranges of aliases.

    For one thread. Whoever made it owes it `close`.
    """

    def __init__(
        self,
        *,
        purpose_id: UUID,
        wrapping_key: str,
        categories: Sequence[UUID],
        split: tuple[int, int] = (0, 1),
    ) -> None:
        self._purpose_id, self._wrapping_key = purpose_id, wrapping_key
        self._categories = tuple(categories)
        self._lower, self._upper = _range(split)
        self._groups = _FIRST_GROUPS
        self._ahead = ReadAhead()
        self._turn = time.monotonic()

    @no_open_transaction
    def page(self, after: Position | None, *, limit: int, following: int = 0) -> Page:
        """Up to `limit` records that the purpose holds live grants for, after `after`.

        A page may be shorter and not the last. `following` is the limit of the page after this
        one, which is selected ahead when it is not 0. Subjects whose share was destroyed while
        the page was read are left out. Raises RestoreReplayRequired, CustodianUnavailable,
        KeyLost, CiphertextTampered (a forged row), CustodianRefused (this process may not open
        the purpose).
        """
        selected, at = self._select(self._wanted(after, limit))
        self._groups = selected.groups_of_next
        last = None if selected.last is None else Position(*selected.last)
        if last is not None and following:
            self._look_ahead(self._wanted(last, following))
        opened = page_opening.opened(selected.groups, self._wrapping_key)
        records = sum(len(group.documents) for group in opened)
        deadline = at + settings.LETHE_PAGE_DEADLINE.total_seconds()
        return Page(opened, records, last, deadline)

    def close(self) -> None:
        """Give up what was selected ahead, and the connection it used."""
        self._ahead.close()

    def _wanted(self, after: Position | None, limit: int) -> Wanted:
        bound = (self._lower, _FIRST, _FIRST)
        if after is not None:
            bound = (after.alias, after.category, after.record)
        groups = min(limit, self._groups)
        return Wanted(self._purpose_id, self._categories, bound, self._upper, limit, groups)

    def _select(self, wanted: Wanted) -> tuple[Selected, float]:
        """What was selected, and when that began on the monotonic clock."""
        now = time.monotonic()
        row = self._ahead.take(wanted, since=now - settings.LETHE_READ_AHEAD.total_seconds())
        if row is not None:
            return page_rows.unpack(row, wanted), self._ahead.began
        return page_rows.select(wanted), now

    def _look_ahead(self, wanted: Wanted) -> None:
        """Select the next page, unless the reader takes so long that it would be dropped."""
        now = time.monotonic()
        if now - self._turn < settings.LETHE_READ_AHEAD.total_seconds():
            self._ahead.begin(wanted)
        self._turn = now


def page(
    *,
    purpose_id: UUID,
    wrapping_key: str,
    categories: Sequence[UUID],
    after: Position | None = None,
    limit: int = PAGE_ROWS,
    split: tuple[int, int] = (0, 1),
) -> Page:
    """One page by itself, as `PageReader.page`."""
    reader = PageReader(
        purpose_id=purpose_id, wrapping_key=wrapping_key, categories=categories, split=split
    )
    return reader.page(after, limit=limit)


def _range(split: tuple[int, int]) -> tuple[UUID, UUID]:
    """Aliases of the i-th of n ranges; aliases are random, so ranges are of equal weight."""
    index, count = split
    width = (1 << 128) // count
    upper = (1 << 128) - 1 if index == count - 1 else (index + 1) * width
    return UUID(int=index * width), UUID(int=upper)
