"""The SELECT of a page: what a purpose holds live grants for, as a few runs of bytes.

Each page is one statement on the primary that joins gate, grant, alias, live key share, living
subject and record, so a subject fenced, withdrawn or restricted before it is not in it. Its one
row packs the groups (a data key with its records) and the records, since a thousand rows of many
columns cost more to receive than to open.
"""

import struct
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from django.db import DatabaseError
from psycopg.errors import ProgramLimitExceeded

from core import statements
from vault.errors import RestoreReplayRequired
from vault.services import gate

#: Record id, version, length of the sealed document.
HEAD: Final = struct.Struct(">16sii")
#: Seven ids, how many records, lengths of their bodies, of wrapped key and cluster; those follow.
_GROUP: Final = struct.Struct(">16s16s16s16s16s16s16siiii")
#: Sealed bytes that a page should not exceed by much.
_BYTES: Final = 16 << 20

#: Alias, category and record.
Bound: TypeAlias = tuple[UUID, UUID, UUID]


class Group(NamedTuple):
    """One data key and its records in the page; ids are their 16 bytes.

    `heads` packs a HEAD for each record, `bodies` their sealed documents in the same order.
    """

    alias: bytes
    data_key: bytes
    category: bytes
    subject: bytes
    controller: bytes
    trail: bytes
    kid: bytes
    wrapped: bytes
    cluster: str
    heads: bytes
    bodies: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to select: up to `limit` records after `after`, of up to `groups` data keys."""

    purpose_id: UUID
    categories: tuple[UUID, ...]
    after: Bound
    upper: UUID
    limit: int
    groups: int

    def parameters(self) -> list[Any]:
        """The values of STATEMENT, in order."""
        held = [self.purpose_id, list(self.categories), *self.after, self.upper]
        return [*held, self.limit, self.groups]


@dataclass(frozen=True, slots=True)
class Selected:
    """The page's groups; `last` is None at the end, else where the page ended.

    `groups_of_next` is how many data keys the next page is likely to need.
    """

    groups: list[Group]
    records: int
    last: Bound | None
    groups_of_next: int


# OFFSET 0 keeps each lookup a lookup: joined freely, the planner takes the equalities of grant and
# alias for independent, expects one row and sorts the whole purpose for every page. The record's
# own bound does not make the grants start there, so theirs is repeated. The gate's scalar comes
# back without any row, too. A subject has one live data key per category, so groups in the order
# of alias and category hold the records in the order of the page.
STATEMENT: Final = """
SELECT gate.open, page.groups, page.heads, page.bodies
FROM (SELECT {gate} AS open) gate
LEFT JOIN LATERAL (
  SELECT
    string_agg(uuid_send(g.alias_id) || uuid_send(g.data_key_id) || uuid_send(g.category_id)
      || uuid_send(g.subject_id) || uuid_send(g.controller_id) || uuid_send(g.trail_id)
      || uuid_send(g.share_id) || int4send(g.records::int) || int4send(octet_length(g.bodies))
      || int4send(octet_length(g.wrapped)) || int4send(octet_length(g.cluster))
      || g.wrapped || convert_to(g.cluster, 'UTF8'),
      '' ORDER BY g.alias_id, g.category_id) AS groups,
    string_agg(g.heads, '' ORDER BY g.alias_id, g.category_id) AS heads,
    string_agg(g.bodies, '' ORDER BY g.alias_id, g.category_id) AS bodies
  FROM (
    SELECT g.alias_id, g.data_key_id, g.category_id, g.subject_id, s.controller_id, s.trail_id,
           g.wrapped, g.share_id, k.cluster, r.records, r.heads, r.bodies
    FROM vault_keygrant g
    CROSS JOIN LATERAL (
      SELECT a.subject_id FROM vault_alias a
      WHERE a.id = g.alias_id AND a.purpose_id = g.purpose_id AND a.restricted_at IS NULL
        AND a.ground = g.ground AND a.counter = g.counter OFFSET 0) a
    CROSS JOIN LATERAL (
      SELECT k.cluster FROM vault_keyshare k
      WHERE k.kid = g.share_id AND k.state = 'live' OFFSET 0) k
    CROSS JOIN LATERAL (
      SELECT s.controller_id, s.trail_id FROM vault_subject s
      WHERE s.id = g.subject_id AND s.id = a.subject_id AND s.state = 'live'
        AND s.restricted_at IS NULL OFFSET 0) s
    CROSS JOIN LATERAL (
      SELECT count(*) AS records, string_agg(r.ciphertext, '') AS bodies,
             string_agg(uuid_send(r.record_id) || int4send(r.version)
               || int4send(octet_length(r.ciphertext)), '') AS heads
      FROM (
        SELECT r.record_id, r.version, r.ciphertext FROM vault_sealedrecord r
        WHERE r.data_key_id = g.data_key_id AND r.is_current
          AND (g.alias_id, g.category_id, r.record_id) > ($3::uuid, $4::uuid, $5::uuid)
        ORDER BY r.record_id LIMIT $7::int) r
      HAVING count(*) > 0 OFFSET 0) r
    WHERE gate.open AND g.purpose_id = $1::uuid AND g.category_id = ANY($2::uuid[])
      AND g.alias_id >= $3::uuid AND g.alias_id < $6::uuid
    ORDER BY g.alias_id, g.category_id
    LIMIT $8::int) g
  ) page ON true
""".replace("{gate}", gate.OPEN_SQL)

Packed: TypeAlias = tuple[bool, bytes | None, bytes | None, bytes | None]


def select(wanted: Wanted) -> Selected:
    """Up to `wanted.limit` records, in the order of alias, category and record.

    Raises RestoreReplayRequired while the gate is closed.
    """
    limit, groups = wanted.limit, wanted.groups
    while True:
        tried = Wanted(
            wanted.purpose_id, wanted.categories, wanted.after, wanted.upper, limit, groups
        )
        try:
            (row,) = statements.fetch(STATEMENT, tried.parameters(), numbered=True)
        except DatabaseError as error:
            # A page of PostgreSQL's largest value, 1 GB; a smaller one will do.
            if not isinstance(error.__cause__, ProgramLimitExceeded) or limit == groups == 1:
                raise
            limit, groups = max(1, limit // 8), max(1, groups // 8)
        else:
            is_open, packed, heads, bodies = row
            return unpack((is_open, packed, heads, bodies), tried)


def unpack(row: Packed, wanted: Wanted) -> Selected:
    """What a row of STATEMENT holds, cut to the limit. Raises RestoreReplayRequired."""
    is_open, packed, heads, bodies = row
    if not is_open:
        raise RestoreReplayRequired
    if packed is None or heads is None or bodies is None:
        return Selected([], 0, None, wanted.groups)
    groups, records, is_cut = _groups(packed, heads, bodies, wanted.limit)
    last = None
    if is_cut or records == wanted.limit or len(groups) == wanted.groups:
        ended = groups[-1]
        record, _, _ = HEAD.unpack_from(ended.heads, len(ended.heads) - HEAD.size)
        last = (UUID(bytes=ended.alias), UUID(bytes=ended.category), UUID(bytes=record))
    by_records = wanted.limit * len(groups) // records + 1  # the first may have been begun
    by_bytes = _BYTES * len(groups) // max(1, sum(len(group.bodies) for group in groups))
    return Selected(groups, records, last, max(1, min(wanted.limit, by_records, by_bytes)))


def _groups(
    packed: bytes, heads: bytes, bodies: bytes, limit: int
) -> tuple[list[Group], int, bool]:
    """The groups that fit into `limit` records, how many those are, and whether any was left."""
    groups: list[Group] = []
    at = head = body = 0
    left = limit
    while at < len(packed) and left:
        *ids, count, size, wrapped, cluster = _GROUP.unpack_from(packed, at)
        start = at + _GROUP.size
        at = start + wrapped + cluster
        until = head + min(count, left) * HEAD.size
        of_group = heads[head:until]
        if count > left:
            size = sum(length for _, _, length in HEAD.iter_unpack(of_group))
        key, name = packed[start : start + wrapped], packed[start + wrapped : at].decode()
        groups.append(Group._make((*ids, key, name, of_group, bodies[body : body + size])))
        left -= min(count, left)
        head, body = until, body + size
    return groups, limit - left, head < len(heads)
