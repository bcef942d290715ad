"""Grants brought to the latest version of their wrapping key, a batch at a time.

A batch is read in a fixed order after a cursor, rewrapped by the key store with no transaction
open, and put in place only where the grant is still what it was. Rows that somebody else holds are
passed over and found by the next pass, so that nothing ever waits for a rotation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection

from core import statements
from core.unit_of_work import no_open_transaction, requires_unit_of_work
from vault import runtime
from vault.models import Rotation
from vault.ports import GrantToOpen, ShareRef

#: Two calls of the key store.
BATCH: Final = 498
_FIRST: Final = UUID(int=0)

#: Grants under older versions, of shares that are not gone for ever.
_OLD: Final = """
substring(g.wrapped, 1, 4) < %(version)s AND k.state NOT IN ('destroyed', 'absent')"""
_OF_PURPOSE: Final = """
FROM vault_keygrant g JOIN vault_keyshare k ON k.kid = g.share_id
WHERE g.purpose_id = %(purpose)s AND {old}""".replace("{old}", _OLD)
_OF_CUSTODY: Final = """
FROM vault_custodygrant g JOIN vault_datakey d ON d.id = g.data_key_id
JOIN vault_keyshare k ON k.kid = d.share_id WHERE {old}""".replace("{old}", _OLD)
_NEXT_OF_PURPOSE: Final = """
SELECT g.id, g.wrapped, k.kid, k.controller_id, k.cluster, g.alias_id, g.category_id {of}
AND g.alias_id >= %(alias)s
AND (g.alias_id, g.category_id, g.id) > (%(alias)s, %(category)s, %(id)s)
ORDER BY g.alias_id, g.category_id, g.id LIMIT %(limit)s""".replace("{of}", _OF_PURPOSE)
_NEXT_OF_CUSTODY: Final = """
SELECT g.data_key_id, g.wrapped, k.kid, k.controller_id, k.cluster {of}
AND g.data_key_id > %(id)s ORDER BY g.data_key_id LIMIT %(limit)s""".replace("{of}", _OF_CUSTODY)
_LEFT_OF_PURPOSE: Final = "SELECT count(*) {of}".replace("{of}", _OF_PURPOSE)
_LEFT_OF_CUSTODY: Final = "SELECT count(*) {of}".replace("{of}", _OF_CUSTODY)
_SWAP: Final = """
WITH wanted AS (
  SELECT * FROM unnest(%(ids)s::{type}[], %(old)s::bytea[], %(new)s::bytea[]) AS w (id, old, new)
), held AS (
  SELECT g.{id} AS id FROM {table} g JOIN wanted w ON w.id = g.{id} AND w.old = g.wrapped
  ORDER BY g.{id} FOR UPDATE OF g SKIP LOCKED
)
UPDATE {table} g SET wrapped = w.new FROM wanted w JOIN held h ON h.id = w.id WHERE g.{id} = w.id"""
_SWAP_OF_PURPOSE: Final = _SWAP.format(type="bigint", id="id", table="vault_keygrant")
_SWAP_OF_CUSTODY: Final = _SWAP.format(type="uuid", id="data_key_id", table="vault_custodygrant")


@dataclass(frozen=True, slots=True)
class Held:
    """A grant as it was read; `place` is the cursor after it."""

    id: int | UUID
    grant: GrantToOpen
    place: str


@dataclass(frozen=True, slots=True)
class Fresh:
    """A grant, what it was wrapped as, and what it is to be."""

    id: int | UUID
    old: bytes
    new: bytes


def next_batch(row: Rotation) -> list[Held]:
    """Up to BATCH grants under versions older than the rotation's, after its cursor."""
    named: dict[str, Any] = {"version": _version(row), "limit": BATCH}
    if row.purpose_id is None:
        named["id"] = UUID(row.cursor) if row.cursor else _FIRST
        found = statements.fetch(_NEXT_OF_CUSTODY, named)
        return [_held(row, one, str(one[0])) for one in found]
    alias, category, id_ = row.cursor.split(":") if row.cursor else (_FIRST.hex, _FIRST.hex, "0")
    named |= {"purpose": row.purpose_id, "id": int(id_)}
    named |= {"alias": UUID(alias), "category": UUID(category)}
    found = statements.fetch(_NEXT_OF_PURPOSE, named)
    return [_held(row, one, f"{one[5]}:{one[6]}:{one[0]}") for one in found]


def _held(row: Rotation, found: Sequence[Any], place: str) -> Held:
    id_, wrapped, kid, controller_id, cluster, *_ = found
    ref = ShareRef(kid.bytes, controller_id, cluster)
    return Held(id_, GrantToOpen(ref, row.wrapping_key, bytes(wrapped)), place)


@no_open_transaction
def rewrap(held: Sequence[Held]) -> list[Fresh]:
    """Those that the key store could rewrap; the others stay for a later pass."""
    answers = runtime.rotation().rewrap_grants([one.grant for one in held])
    return [
        Fresh(one.id, one.grant.wrapped, answer)
        for one, answer in zip(held, answers, strict=True)
        if isinstance(answer, bytes)
    ]


@requires_unit_of_work
def swap(fresh: Sequence[Fresh], *, is_custody: bool) -> int:
    """Put the new wraps in place where the grant is there, unchanged and free; how many were."""
    columns: dict[str, Any] = {
        "ids": [one.id for one in fresh],
        "old": [one.old for one in fresh],
        "new": [one.new for one in fresh],
    }
    with connection.cursor() as cursor:
        cursor.execute(_SWAP_OF_CUSTODY if is_custody else _SWAP_OF_PURPOSE, columns)
        count: int = cursor.rowcount
    return count


def left(row: Rotation) -> int:
    """How many grants are still under versions older than the rotation's."""
    named: dict[str, Any] = {"version": _version(row)}
    query = _LEFT_OF_CUSTODY
    if row.purpose_id is not None:
        query, named["purpose"] = _LEFT_OF_PURPOSE, row.purpose_id
    ((count,),) = statements.fetch(query, named)
    held: int = count
    return held


def _version(row: Rotation) -> bytes:
    return (row.to_version or row.from_version).to_bytes(4)
