"""What a lease streams: pages of NDJSON, each disclosed in the database before it is sent."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import orjson
from django.db import connection

from core import ids
from core.ids import PublicId
from core.unit_of_work import unit_of_work
from governance.services import lease_cursor
from governance.services.lease_cursor import Split
from vault.services import reading
from vault.services.reading import PAGE_ROWS, Page, PageRow, Position

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


@dataclass(frozen=True, slots=True)
class Sent:
    """One page as it goes out: its bytes, how many records, where to resume (None: the end)."""

    body: bytes
    records: int
    cursor: str | None
    require_in_time: Callable[[], None]


def read(
    wanted: Reading, *, after: Position | None, limit: int, now: datetime
) -> tuple[Sent, Position | None]:
    """Open one page, commit who is in it to Disclosure, and hand it out.

    Raises what `vault.services.reading.page` raises; then nothing was disclosed.
    """
    page = reading.page(
        purpose_id=wanted.purpose_id,
        wrapping_key=wanted.wrapping_key,
        categories=list(wanted.codes),
        after=after,
        limit=min(limit, PAGE_ROWS),
        split=wanted.split,
    )
    _disclose(wanted.lease_id, page, now=now)
    cursor = None
    if page.last is not None:
        cursor = lease_cursor.seal(page.last, lease_id=wanted.lease_id, split=wanted.split)
    body = b"".join(_lines(wanted, page.rows))
    return Sent(body, len(page.rows), cursor, page.require_in_time), page.last


def _disclose(lease_id: UUID, page: Page, *, now: datetime) -> None:
    """One row per person and page, by COPY; a resumed cursor may repeat rows.

    A page that is late discloses nothing: its people may have been swept meanwhile.
    """
    trails = {row.trail_id for row in page.rows}
    if not trails:
        return
    with (
        unit_of_work(),
        connection.cursor() as cursor,
        cursor.copy("COPY governance_disclosure (lease_id, trail_id, at) FROM STDIN") as copy,
    ):
        for trail_id in trails:
            copy.write_row((lease_id, trail_id, now))
        page.require_in_time()


def _lines(wanted: Reading, rows: Sequence[PageRow]) -> Iterator[bytes]:
    names: dict[UUID, bytes] = {}
    for row in rows:
        alias = names.get(row.alias)
        if alias is None:
            alias = names[row.alias] = ids.format(PublicId.ALIAS, row.alias).encode()
        yield b'{"alias":"%b","category":"%b","reference":"%b","version":%d,"data":%b}\n' % (
            alias,
            wanted.codes[row.category_id].encode(),
            row.reference.hex().encode(),
            row.version,
            _projected(row.document, wanted.fields[row.category_id]),
        )


def _projected(document: bytes, fields: frozenset[str] | None) -> bytes:
    """Only the named top-level fields; what may all be read is never parsed."""
    if fields is None:
        return document
    parsed: dict[str, Any] = orjson.loads(document)
    return orjson.dumps({name: value for name, value in parsed.items() if name in fields})
