"""Records out: keyset pages for a purpose, and custody reads for the person's own rights.

A page obeys what was committed before its SELECT, whatever this process has cached.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from core.unit_of_work import no_open_transaction
from vault.domain import binding
from vault.domain.envelope import NotAuthentic, open_sealed, opener
from vault.domain.states import ShareState, SubjectState
from vault.errors import CiphertextTampered, KeyLost, PageTooLate, SubjectErased
from vault.models import CustodyGrant, SealedRecord
from vault.ports import GrantFailure, GrantToOpen, ShareRef
from vault.services import custody_rows, gate, key_cache, keys, page_rows
from vault.services.custody_rows import CustodyRow

PAGE_ROWS = 1000
_FIRST = UUID(int=0)
_SPLIT_BITS = 16


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the next one begins after it. Names a record, so never shown in clear.

    It names no data key, so that it stays where it is when a re-key gives the category another.
    """

    alias: UUID
    category: UUID
    record: UUID


class PageRow(NamedTuple):
    """One record as a purpose sees it; ids are their 16 bytes.

    `trail` is for the disclosure row only.
    """

    alias: bytes
    reference: bytes
    category: bytes
    version: int
    document: bytes
    trail: bytes


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
    rows = page_rows.select(
        purpose_id=purpose_id,
        categories=categories,
        after=(start.alias, start.category, start.record),
        upper=upper,
        limit=limit,
    )
    last = None
    if len(rows) == limit:
        _, alias, _, record, _, _, category, *_ = rows[-1]
        last = Position(UUID(bytes=alias), UUID(bytes=category), UUID(bytes=record))
    return Page(_open_page(rows, wrapping_key), last, deadline)


def _range(split: tuple[int, int]) -> tuple[UUID, UUID]:
    """Aliases of the i-th of n ranges; aliases are random, so ranges are of equal weight."""
    index, count = split
    width = (1 << 128) // count
    upper = (1 << 128) - 1 if index == count - 1 else (index + 1) * width
    return UUID(int=index * width), UUID(int=upper)


def _open_page(rows: Sequence[page_rows.Row], wrapping_key: str) -> list[PageRow]:
    grants: dict[bytes, GrantToOpen] = {}
    for row in rows:
        data_key, controller, wrapped, kid, cluster = row[2], row[8], row[10], row[11], row[12]
        if data_key not in grants:
            ref = ShareRef(kid, UUID(bytes=controller), cluster)
            grants[data_key] = GrantToOpen(ref, wrapping_key, wrapped)
    answers = key_cache.open_grants(list(grants.values()))
    opened = dict(zip(grants, answers, strict=True))
    opened_rows: list[PageRow] = []
    try:
        for data_key, group in groupby(rows, key=itemgetter(2)):
            key = opened[data_key]
            if isinstance(key, bytes):
                opened_rows += _open_group(list(group), key)
            elif key is not GrantFailure.SHARE_DESTROYED:
                raise _refusal(key)
    except NotAuthentic as error:
        raise CiphertextTampered from error
    return opened_rows


def _open_group(rows: Sequence[page_rows.Row], key: bytes) -> list[PageRow]:
    """The records of one data key: their bindings differ in record and version alone."""
    _, alias, data_key, _, _, _, category, subject, controller, trail, _, _, _ = rows[0]
    begins = binding.data_key_binding(controller, subject, category, data_key)
    open_one, refer, pack = opener(key), binding.stream_references(alias), binding.VERSION.pack
    return [
        PageRow(
            alias,
            refer(record),
            category,
            version,
            open_one(sealed, begins + record + pack(version)),
            trail,
        )
        for _, _, _, record, version, sealed, _, _, _, _, _, _, _ in rows
    ]


def _refusal(reason: GrantFailure) -> Exception:
    """A grant row that does not unwrap was forged or moved: an integrity violation."""
    return CiphertextTampered() if reason is GrantFailure.NOT_AUTHENTIC else keys.failure(reason)


@no_open_transaction
def custody_read(
    *,
    controller_id: UUID,
    subject_id: UUID,
    category_ids: Sequence[UUID] | None = None,
    source_id: UUID | None = None,
) -> list[OpenRecord]:
    """The subject's current records, opened through custody; of one source when it is named.

    The caller audits why. Raises RestoreReplayRequired, SubjectNotFound, SubjectErased,
    CustodianUnavailable, KeyLost.
    """
    rows = custody_rows.select(
        controller_id=controller_id,
        subject_id=subject_id,
        category_ids=category_ids,
        source_id=source_id,
    )
    wanted = {row.data_key_id: row.grant for row in rows if row.grant is not None}
    opened = dict(zip(wanted, key_cache.open_grants(list(wanted.values())), strict=True))
    return [_open_record(controller_id, row, opened.get(row.data_key_id)) for row in rows]


@no_open_transaction
def versions(*, controller_id: UUID, record_id: UUID) -> list[OpenRecord]:
    """All versions of a record, oldest first; empty when it does not exist or is not yours.

    Raises SubjectErased, CustodianUnavailable, KeyLost.
    """
    gate.require_open()
    of_record = SealedRecord.objects.filter(
        record_id=record_id, subject__controller_id=controller_id
    )
    states = of_record.values_list("subject__state", flat=True)
    if any(state != SubjectState.LIVE for state in states):
        raise SubjectErased
    # Without what a re-key keeps beside the living rows, and what an expiry is about to sweep.
    living = of_record.filter(data_key__share__state__in=[ShareState.LIVE, ShareState.LOST])
    return _open_custody(controller_id, living.order_by("version"))


def _open_custody(controller_id: UUID, living: QuerySet[SealedRecord]) -> list[OpenRecord]:
    """Open the rows; read them again when a re-key has put others in their place meanwhile."""
    for _ in range(keys.ROUNDS):
        rows = list(living.select_related("data_key__share").all())
        opened = _custody_keys(rows)
        if all(row.data_key_id in opened for row in rows):
            return [_open_record(controller_id, row, opened[row.data_key_id]) for row in rows]
        if any(row.data_key.share.state == ShareState.LOST for row in rows):
            raise KeyLost
    raise SubjectErased


def _custody_keys(rows: Sequence[SealedRecord]) -> dict[UUID, bytes | GrantFailure]:
    grants = list(
        CustodyGrant.objects.select_related("data_key__share").filter(
            data_key__in={row.data_key_id for row in rows},
            data_key__share__state=ShareState.LIVE,
            subject__state="live",
        )
    )
    answers = key_cache.open_grants(
        [
            GrantToOpen(keys.share_ref(grant.data_key.share), keys.CUSTODY, bytes(grant.wrapped))
            for grant in grants
        ]
    )
    return {grant.data_key_id: answer for grant, answer in zip(grants, answers, strict=True)}


def _open_record(
    controller_id: UUID, row: SealedRecord | CustodyRow, key: bytes | GrantFailure | None
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
