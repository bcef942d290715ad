"""What a lease streams: pages, each disclosed in the database before it is sent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import orjson
from django.db import connection

from core.unit_of_work import requires_unit_of_work
from governance.services import lease_cursor
from governance.services.lease_cursor import Split
from vault.services.page_opening import PageGroup
from vault.services.pages import PAGE_ROWS, PageReader, Position

#: Reads every field of a category: its documents pass through as the bytes they were sealed as.
ALL_FIELDS = "*"


class Clock(Protocol):
    def __call__(self) -> datetime:
        """The present instant."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """What one stream reads: the lease's terms, resolved once before the first page.

    `fields` maps a category to the names its purpose may read, or None for all of them.
    """

    lease_id: UUID
    purpose_id: UUID
    wrapping_key: str
    codes: Mapping[UUID, str]
    fields: Mapping[UUID, frozenset[str] | None]
    split: Split


class Ending(NamedTuple):
    """What stands after a page: where to resume (None: the end), records sent, whether it ends."""

    cursor: str | None
    sent: int
    is_last: bool


class Encoder(Protocol):
    """Writes the pages of one stream, in order."""

    def page(self, groups: Sequence[PageGroup], ending: Ending) -> bytes:
        """The bytes of a page."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """One page as it may go out, trailer included; `cursor` and `last` are None at the end.

    Nothing of it may be sent before `disclose` has been committed.
    """

    body: bytes
    records: int
    cursor: str | None
    last: Position | None
    is_last: bool
    trails: frozenset[bytes]
    require_in_time: Callable[[], None]


def reader(wanted: Reading) -> PageReader:
    """What reads the pages of the stream; whoever made it owes it `close`."""
    return PageReader(
        purpose_id=wanted.purpose_id,
        wrapping_key=wanted.wrapping_key,
        categories=list(wanted.codes),
        split=wanted.split,
    )


def read(
    wanted: Reading,
    encoder: Encoder,
    pages: PageReader,
    *,
    after: Position | None,
    sent: int,
    limit: int,
) -> Opened:
    """Open the page that follows `sent` of at most `limit` records.

    Raises what `vault.services.pages.PageReader.page` raises.
    """
    of_page = min(limit - sent, PAGE_ROWS)
    page = pages.page(after, limit=of_page, following=min(limit - sent - of_page, PAGE_ROWS))
    cursor = None
    if page.last is not None:
        cursor = lease_cursor.seal(page.last, lease_id=wanted.lease_id, split=wanted.split)
    sent += page.records
    is_last = cursor is None or sent >= limit
    return Opened(
        body=encoder.page(page.groups, Ending(cursor, sent, is_last)),
        records=page.records,
        cursor=cursor,
        last=page.last,
        is_last=is_last,
        trails=frozenset(group.trail for group in page.groups),
        require_in_time=page.require_in_time,
    )


@requires_unit_of_work
def disclose(lease_id: UUID, page: Opened, *, now: datetime) -> None:
    """One row per person and page, by COPY; a resumed cursor may repeat rows.

    A page that is late discloses nothing: its people may have been swept meanwhile. Raises
    PageTooLate.
    """
    if not page.trails:
        return
    ends = f"\t{lease_id}\t{now.isoformat()}\n".encode()
    rows = b"".join(trail.hex().encode() + ends for trail in page.trails)
    with (
        connection.wrap_database_errors,  # a copy ends outside any call that Django translates
        connection.cursor() as cursor,
        cursor.copy("COPY governance_disclosure (trail_id, lease_id, at) FROM STDIN") as copy,
    ):
        copy.write(rows)
        page.require_in_time()


def projected(document: bytes, fields: frozenset[str]) -> bytes:
    """Only the named top-level fields; what may all be read is never parsed."""
    parsed: dict[str, Any] = orjson.loads(document)
    return orjson.dumps({name: value for name, value in parsed.items() if name in fields})
