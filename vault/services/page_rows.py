"""The SELECT of a page: what a purpose holds live grants for, as bytes.

Each page is one statement on the primary that joins gate, grant, alias, live key share, living
subject and record, so a subject fenced, withdrawn or restricted before it is not in it.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias, cast
from uuid import UUID

from core import statements
from vault.errors import RestoreReplayRequired
from vault.services import gate

#: gate open, alias, data key, record, version, sealed, category, subject, controller, trail,
#: wrapped key, kid, cluster; ids are their 16 bytes.
Row: TypeAlias = tuple[
    bool, bytes, bytes, bytes, int, bytes, bytes, bytes, bytes, bytes, bytes, bytes, str
]

# OFFSET 0 keeps each lookup a lookup: joined freely, the planner takes the equalities of grant and
# alias for independent, expects one row and sorts the whole purpose for every page. The record's
# own bound does not make the grants start there, so theirs is repeated. The gate's scalar comes
# back without any row, too.
_SELECT: Final = """
SELECT gate.open, p.*
FROM (SELECT {gate} AS open) gate
LEFT JOIN LATERAL (
  SELECT g.alias_id, g.data_key_id, r.record_id, r.version, r.ciphertext, g.category_id,
         g.subject_id, s.controller_id, s.trail_id, g.wrapped, g.share_id, k.cluster
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
    SELECT r.record_id, r.version, r.ciphertext FROM vault_sealedrecord r
    WHERE r.data_key_id = g.data_key_id AND r.is_current OFFSET 0) r
  WHERE gate.open AND g.purpose_id = %(purpose)s AND g.category_id = ANY(%(categories)s)
    AND g.alias_id >= %(alias)s AND g.alias_id < %(upper)s
    AND (g.alias_id, g.category_id, r.record_id) > (%(alias)s, %(category)s, %(record)s)
  ORDER BY g.alias_id, g.category_id, r.record_id
  LIMIT %(limit)s) p ON true
""".replace("{gate}", gate.OPEN_SQL)


def select(
    *,
    purpose_id: UUID,
    categories: Sequence[UUID],
    after: tuple[UUID, UUID, UUID],
    upper: UUID,
    limit: int,
) -> list[Row]:
    """Up to `limit` rows after (alias, category, record), in that order, below alias `upper`.

    Raises RestoreReplayRequired while the gate is closed.
    """
    alias, category, record = after
    bounds = {"alias": alias, "category": category, "record": record, "upper": upper}
    named = {"purpose": purpose_id, "categories": list(categories), "limit": limit, **bounds}
    rows = statements.fetch(_SELECT, named, raw_ids=True)
    if not rows[0][0]:
        raise RestoreReplayRequired
    if rows[0][1] is None:
        return []
    return cast("list[Row]", rows)
