"""Rows of sealed records, many at a time: the ORM would cost more than the seal."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection

from core.copying import copy_in
from core.unit_of_work import requires_unit_of_work

_CURRENT: Final = """
SELECT r.id, r.record_id, r.version, r.data_key_id, r.reference_tag, r.content_mac
FROM unnest(%s::uuid[], %s::bytea[]) AS wanted (data_key_id, reference_tag)
JOIN vault_sealedrecord r ON r.is_current
  AND r.data_key_id = wanted.data_key_id AND r.reference_tag = wanted.reference_tag
"""
_SUPERSEDE: Final = "UPDATE vault_sealedrecord SET is_current = false WHERE id = ANY(%s)"
COLUMNS: Final = {
    "id": "uuid",
    "record_id": "uuid",
    "version": "int4",
    "is_current": "bool",
    "subject_id": "uuid",
    "category_id": "uuid",
    "data_key_id": "uuid",
    "source_id": "uuid",
    "reference_tag": "bytea",
    "sealed_reference": "bytea",
    "content_mac": "bytea",
    "ciphertext": "bytea",
    "created_at": "timestamptz",
}


class Row(NamedTuple):
    """One version to insert; fields as in `SealedRecord`, in the order of the copy."""

    id: UUID
    record_id: UUID
    version: int
    is_current: bool
    subject_id: UUID
    category_id: UUID
    data_key_id: UUID
    source_id: UUID
    reference_tag: bytes
    sealed_reference: bytes | None
    content_mac: bytes
    ciphertext: bytes
    created_at: datetime


class Current(NamedTuple):
    """The version that a reference leads to now."""

    id: UUID
    record_id: UUID
    version: int
    content_mac: bytes


@requires_unit_of_work
def current(wanted: Sequence[tuple[UUID, bytes]]) -> dict[tuple[UUID, bytes], Current]:
    """What is current by (data key id, reference tag); one index probe each."""
    with connection.cursor() as cursor:
        cursor.execute(_CURRENT, [[key for key, _ in wanted], [tag for _, tag in wanted]])
        return {
            (key, bytes(tag)): Current(id_, record_id, version, bytes(mac))
            for id_, record_id, version, key, tag, mac in cursor.fetchall()
        }


@requires_unit_of_work
def write(rows: Iterable[Row], *, superseded: Sequence[UUID]) -> None:
    """Take the superseded versions out of use, then insert the new ones."""
    if superseded:
        with connection.cursor() as cursor:
            cursor.execute(_SUPERSEDE, [list(superseded)])
    copy_in(table="vault_sealedrecord", columns=COLUMNS, rows=rows)
