"""Rows sealed anew under the data keys of a re-key, and the switch that makes them the living ones.

A version's second row is noise to every reader until the switch: it is not current, and its share
is not live. The switch is part of one commit under the subject's lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection

from core import ids
from core.unit_of_work import requires_unit_of_work
from vault.domain import binding
from vault.domain.envelope import NotAuthentic, open_sealed, seal
from vault.errors import CiphertextTampered
from vault.models import CustodyGrant, DataKey, KeyShare, SealedRecord
from vault.services import record_rows

BATCH: Final = 500

_TO_SEAL: Final = """
SELECT r.record_id, r.version, r.subject_id, r.category_id, r.data_key_id, r.source_id,
       r.reference_tag, r.sealed_reference, r.content_mac, r.ciphertext, r.created_at
FROM unnest(%s::uuid[], %s::uuid[]) AS p (old_key, new_key)
JOIN vault_sealedrecord r ON r.data_key_id = p.old_key
WHERE NOT EXISTS (SELECT 1 FROM vault_sealedrecord n WHERE n.record_id = r.record_id
                  AND n.version = r.version AND n.data_key_id = p.new_key)
ORDER BY r.data_key_id, r.record_id, r.version LIMIT %s"""
_PAIRED: Final = """
SELECT r.id, n.id, r.is_current
FROM unnest(%s::uuid[], %s::uuid[]) AS p (old_key, new_key)
JOIN vault_sealedrecord r ON r.data_key_id = p.old_key
JOIN vault_sealedrecord n ON n.record_id = r.record_id AND n.version = r.version
  AND n.data_key_id = p.new_key"""
_STEP_BACK: Final = """
UPDATE vault_sealedrecord r SET id = m.fresh, is_current = false
FROM unnest(%s::uuid[], %s::uuid[]) AS m (old, fresh) WHERE r.id = m.old"""
_STEP_IN: Final = """
UPDATE vault_sealedrecord n SET id = m.old, is_current = m.is_current
FROM unnest(%s::uuid[], %s::uuid[], %s::bool[]) AS m (new, old, is_current) WHERE n.id = m.new"""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An opened data key and the one that takes its place; lives in memory for one call."""

    old_id: UUID
    new_id: UUID
    old: bytes = field(repr=False)
    new: bytes = field(repr=False)


class _Old(NamedTuple):
    record_id: UUID
    version: int
    subject_id: UUID
    category_id: UUID
    data_key_id: UUID
    source_id: UUID
    reference_tag: bytes
    sealed_reference: bytes | None
    content_mac: bytes
    ciphertext: bytes
    created_at: datetime


@requires_unit_of_work
def reseal(*, controller_id: UUID, pairs: Sequence[KeyPair], limit: int | None) -> int:
    """Seal up to `limit` versions anew that have no second row yet; how many.

    The caller holds the subject's lock. Raises CiphertextTampered.
    """
    by_old = {pair.old_id: pair for pair in pairs}
    with connection.cursor() as cursor:
        cursor.execute(_TO_SEAL, [list(by_old), [pair.new_id for pair in pairs], limit])
        found = [_Old(*row) for row in cursor.fetchall()]
    try:
        rows = [_sealed(controller_id, row, by_old[row.data_key_id]) for row in found]
    except NotAuthentic as error:
        raise CiphertextTampered from error
    record_rows.write(rows, superseded=[])
    return len(rows)


def _sealed(controller_id: UUID, row: _Old, pair: KeyPair) -> record_rows.Row:
    def bound(data_key: UUID) -> bytes:
        return binding.record_binding(
            controller=controller_id,
            subject=row.subject_id,
            category=row.category_id,
            data_key=data_key,
            record=row.record_id,
            version=row.version,
        )

    opened = open_sealed(key=pair.old, binding=bound(pair.old_id), sealed=bytes(row.ciphertext))
    tag, sealed_reference = _reference(row, pair)
    return record_rows.Row(
        id=ids.new_time_ordered(),
        record_id=row.record_id,
        version=row.version,
        is_current=False,
        subject_id=row.subject_id,
        category_id=row.category_id,
        data_key_id=pair.new_id,
        source_id=row.source_id,
        reference_tag=tag,
        sealed_reference=sealed_reference,
        content_mac=binding.content_mac(key=pair.new, document=opened),
        ciphertext=seal(key=pair.new, binding=bound(pair.new_id), document=opened),
        created_at=row.created_at,
    )


def _reference(row: _Old, pair: KeyPair) -> tuple[bytes, bytes | None]:
    """Tag and sealed reference under the new key; a row without the latter keeps its tag."""
    if row.sealed_reference is None:
        return bytes(row.reference_tag), None

    def bound(data_key: UUID) -> bytes:
        return binding.reference_binding(
            subject=row.subject_id, data_key=data_key, record=row.record_id
        )

    opened = open_sealed(
        key=pair.old, binding=bound(pair.old_id), sealed=bytes(row.sealed_reference)
    )
    tag = binding.reference_tag(key=pair.new, source=row.source_id, reference=opened.decode())
    return tag, seal(key=pair.new, binding=bound(pair.new_id), document=opened)


@requires_unit_of_work
def switch(pairs: Sequence[KeyPair]) -> int:
    """Let the second rows take over ids and places of the first ones; how many.

    Every version must have its second row. The caller holds the subject's lock.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PAIRED, [[p.old_id for p in pairs], [p.new_id for p in pairs]])
        found = cursor.fetchall()
        old = [row[0] for row in found]
        cursor.execute(_STEP_BACK, [old, [ids.new_time_ordered() for _ in found]])
        cursor.execute(_STEP_IN, [[row[1] for row in found], old, [row[2] for row in found]])
    return len(found)


@requires_unit_of_work
def discard(share: KeyShare) -> None:
    """Delete all that was sealed for a share that never became the live one."""
    SealedRecord.objects.filter(data_key__share=share).delete()
    CustodyGrant.objects.filter(data_key__share=share).delete()
    DataKey.objects.filter(share=share).delete()
