"""Records out: keyset pages for a purpose, and custody reads for the person's own rights.

Each page is one SELECT on the primary that joins grant, alias, live key share and record, so a
subject fenced or withdrawn before it is not in it, whatever this process has cached.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from core.unit_of_work import no_open_transaction
from vault.domain import binding
from vault.domain.envelope import NotAuthentic, open_sealed
from vault.domain.states import ShareState
from vault.errors import CiphertextTampered, PageTooLate, RestoreReplayRequired, SubjectErased
from vault.models import CustodyGrant, SealedRecord
from vault.ports import GrantFailure, GrantToOpen, ShareRef
from vault.services import gate, key_cache, keys, subjects

PAGE_ROWS = 1000
_FIRST = UUID(int=0)
_SPLIT_BITS = 16


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the next one begins after it. Names a record, so never shown in clear."""

    alias: UUID
    data_key: UUID
    record: UUID


@dataclass(frozen=True, slots=True)
class PageRow:
    """One record as a purpose sees it; `trail_id` is for the disclosure row only."""

    alias: UUID
    reference: bytes
    category_id: UUID
    version: int
    document: bytes
    trail_id: UUID


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in alias order; `last` is None when the split is read to its end.

    `deadline` is on the monotonic clock of this process.
    """

    rows: list[PageRow]
    last: Position | None
    deadline: float

    def require_in_time(self) -> None:
        """Raise PageTooLate unless the page may still be written.

        An erasure outwaits LETHE_PAGE_DEADLINE after its fence, so a page selected before the
        fence must not leave later than that.
        """
        if time.monotonic() > self.deadline:
            raise PageTooLate


@dataclass(frozen=True, slots=True)
class OpenRecord:
    """One version of a record, opened in custody."""

    record_id: UUID
    category_id: UUID
    version: int
    document: bytes
    created_at: datetime


# The page's lower bound is repeated on the grant's alias, so that the plan starts there. The gate
# comes back even when no row does; closed, nothing is read.
_PAGE = """
SELECT gate.is_open, page.* FROM (SELECT {gate} AS is_open) gate LEFT JOIN LATERAL (
SELECT g.alias_id, g.data_key_id, r.record_id, r.version, r.ciphertext, g.category_id,
       g.subject_id, s.controller_id, s.trail_id, g.wrapped, k.kid, k.cluster
FROM vault_keygrant g
JOIN vault_alias a ON a.id = g.alias_id AND a.ground = g.ground AND a.counter = g.counter
  AND a.purpose_id = g.purpose_id AND a.subject_id = g.subject_id AND a.restricted_at IS NULL
JOIN vault_keyshare k ON k.kid = g.share_id AND k.state = 'live'
JOIN vault_subject s ON s.id = g.subject_id AND s.state = 'live' AND s.restricted_at IS NULL
JOIN vault_sealedrecord r ON r.data_key_id = g.data_key_id AND r.is_current
WHERE g.purpose_id = %(purpose)s AND g.category_id = ANY(%(categories)s)
  AND g.alias_id >= %(alias)s AND g.alias_id < %(upper)s
  AND (g.alias_id, g.data_key_id, r.record_id) > (%(alias)s, %(data_key)s, %(record)s)
ORDER BY g.alias_id, g.data_key_id, r.record_id
LIMIT %(limit)s
) page ON gate.is_open
""".replace("{gate}", gate.OPEN_SQL)


@no_open_transaction
def page(
    *,
    purpose_id: UUID,
    wrapping_key: str,
    categories: Sequence[UUID],
    after: Position | None = None,
    limit: int = PAGE_ROWS,
    split: tuple[int, int] = (0, 1),
) -> Page:
    """Read up to `limit` records that the purpose holds live grants for, after `after`.

    `split` (i, n) takes the i-th of n ranges of aliases. Subjects whose share was destroyed
    while the page was read are left out. Raises RestoreReplayRequired, CustodianUnavailable,
    KeyLost, CiphertextTampered (a forged row), CustodianRefused (this process may not open the
    purpose).
    """
    lower, upper = _range(split)
    start = after or Position(lower, _FIRST, _FIRST)
    deadline = time.monotonic() + settings.LETHE_PAGE_DEADLINE.total_seconds()
    with connection.cursor() as cursor:
        cursor.execute(
            _PAGE,
            {
                "purpose": purpose_id,
                "categories": list(categories),
                "alias": start.alias,
                "upper": upper,
                "data_key": start.data_key,
                "record": start.record,
                "limit": limit,
            },
        )
        answer = cursor.fetchall()
    if not answer[0][0]:
        raise RestoreReplayRequired
    rows = [row[1:] for row in answer if row[1] is not None]
    last = Position(*rows[-1][:3]) if len(rows) == limit else None
    return Page(_open_page(rows, wrapping_key), last, deadline)


def _range(split: tuple[int, int]) -> tuple[UUID, UUID]:
    """Aliases of the i-th of n ranges; aliases are random, so ranges are of equal weight."""
    index, count = split
    width = (1 << 128) // count
    upper = (1 << 128) - 1 if index == count - 1 else (index + 1) * width
    return UUID(int=index * width), UUID(int=upper)


def _open_page(rows: Sequence[tuple[Any, ...]], wrapping_key: str) -> list[PageRow]:
    grants: dict[UUID, GrantToOpen] = {}
    for row in rows:
        data_key, controller, wrapped, kid, cluster = row[1], row[7], row[9], row[10], row[11]
        if data_key not in grants:
            ref = ShareRef(kid.bytes, controller, cluster)
            grants[data_key] = GrantToOpen(ref, wrapping_key, bytes(wrapped))
    opened = dict(zip(grants, key_cache.open_grants(list(grants.values())), strict=True))
    page_rows = []
    for row in rows:
        key = opened[row[1]]
        if key is GrantFailure.SHARE_DESTROYED:
            continue
        if isinstance(key, GrantFailure):
            raise _refusal(key)
        page_rows.append(_open_row(row, key))
    return page_rows


def _refusal(reason: GrantFailure) -> Exception:
    """A grant row that does not unwrap was forged or moved: an integrity violation."""
    return CiphertextTampered() if reason is GrantFailure.NOT_AUTHENTIC else keys.failure(reason)


def _open_row(row: Sequence[Any], key: bytes) -> PageRow:
    alias, data_key, record, version, sealed, category, subject, controller, trail = row[:9]
    bound = binding.record_binding(
        controller=controller,
        subject=subject,
        category=category,
        data_key=data_key,
        record=record,
        version=version,
    )
    try:
        document = open_sealed(key=key, binding=bound, sealed=bytes(sealed))
    except NotAuthentic as error:
        raise CiphertextTampered from error
    reference = binding.stream_reference(alias=alias, record=record)
    return PageRow(alias, reference, category, version, document, trail)


@no_open_transaction
def custody_read(
    *,
    controller_id: UUID,
    subject_id: UUID,
    category_ids: Sequence[UUID] | None = None,
    source_id: UUID | None = None,
) -> list[OpenRecord]:
    """The subject's current records, opened through custody; of one source when it is named.

    The caller audits why. Raises SubjectNotFound, SubjectErased, CustodianUnavailable, KeyLost.
    """
    gate.require_open()
    subjects.require_live(controller_id=controller_id, subject_id=subject_id)
    rows = SealedRecord.objects.filter(subject_id=subject_id, is_current=True)
    if category_ids is not None:
        rows = rows.filter(category_id__in=category_ids)
    if source_id is not None:
        rows = rows.filter(source_id=source_id)
    return _open_custody(controller_id, list(rows.order_by("record_id")))


@no_open_transaction
def versions(*, controller_id: UUID, record_id: UUID) -> list[OpenRecord]:
    """All versions of a record, oldest first; empty when it does not exist or is not yours.

    Raises SubjectErased, CustodianUnavailable, KeyLost.
    """
    gate.require_open()
    rows = list(
        SealedRecord.objects.filter(
            record_id=record_id, subject__controller_id=controller_id
        ).order_by("version")
    )
    return _open_custody(controller_id, rows)


def _open_custody(controller_id: UUID, rows: Sequence[SealedRecord]) -> list[OpenRecord]:
    grants = list(
        CustodyGrant.objects.select_related("data_key__share").filter(
            data_key__in={row.data_key_id for row in rows},
            data_key__share__state=ShareState.LIVE,
            subject__state="live",
        )
    )
    opened = dict(
        zip(
            [grant.data_key_id for grant in grants],
            key_cache.open_grants(
                [
                    GrantToOpen(
                        keys.share_ref(grant.data_key.share), keys.CUSTODY, bytes(grant.wrapped)
                    )
                    for grant in grants
                ]
            ),
            strict=True,
        )
    )
    return [_open_record(controller_id, row, opened.get(row.data_key_id)) for row in rows]


def _open_record(
    controller_id: UUID, row: SealedRecord, key: bytes | GrantFailure | None
) -> OpenRecord:
    if key is None or key is GrantFailure.SHARE_DESTROYED:
        raise SubjectErased
    if isinstance(key, GrantFailure):
        raise _refusal(key)
    bound = binding.record_binding(
        controller=controller_id,
        subject=row.subject_id,
        category=row.category_id,
        data_key=row.data_key_id,
        record=row.record_id,
        version=row.version,
    )
    try:
        document = open_sealed(key=key, binding=bound, sealed=bytes(row.ciphertext))
    except NotAuthentic as error:
        raise CiphertextTampered from error
    return OpenRecord(row.record_id, row.category_id, row.version, document, row.created_at)
