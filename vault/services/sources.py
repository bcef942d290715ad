"""Who came from a source: the people whom one of its references names, in the order of those.

Each stands at the first reference that the source gave, so a walk meets nobody twice. Someone whom
another source names too, or has given records of, is told apart: what ends with one source must
not take from another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from core import statements

_PEOPLE: Final = """
SELECT t.id, t.subject_id,
  EXISTS (SELECT 1 FROM vault_lookuptag o
          WHERE o.subject_id = t.subject_id AND o.source_id <> t.source_id)
  OR EXISTS (SELECT 1 FROM vault_sealedrecord r
             WHERE r.subject_id = t.subject_id AND r.source_id <> t.source_id) AS is_shared
FROM vault_lookuptag t
WHERE t.controller_id = %(controller)s AND t.source_id = %(source)s
  AND t.id > %(after)s AND t.id <= %(upto)s
  AND NOT EXISTS (SELECT 1 FROM vault_lookuptag e
                  WHERE e.subject_id = t.subject_id AND e.source_id = t.source_id AND e.id < t.id)
"""
_PAGE: Final = f"{_PEOPLE} ORDER BY t.id LIMIT %(limit)s"
_COUNT: Final = _PEOPLE.join(
    ("WITH people AS (", ") SELECT count(*), count(*) FILTER (WHERE is_shared) FROM people")
)
_LAST: Final = """
SELECT coalesce(max(id), 0) FROM vault_lookuptag WHERE controller_id = %s AND source_id = %s"""


@dataclass(frozen=True, slots=True)
class Person:
    """A subject of a source; `position` is what the next page begins after."""

    position: int
    subject_id: UUID
    is_shared: bool


def last(*, controller_id: UUID, source_id: UUID) -> int:
    """The position of the newest reference; who comes later stands behind it."""
    ((position,),) = statements.fetch(_LAST, [controller_id, source_id])
    return int(position)


def page(
    *, controller_id: UUID, source_id: UUID, after: int, upto: int, limit: int
) -> Sequence[Person]:
    """The source's next people after `after`, up to `upto`, in whatever state they are."""
    bounds = {"controller": controller_id, "source": source_id, "after": after, "upto": upto}
    return [Person(*row) for row in statements.fetch(_PAGE, bounds | {"limit": limit})]


def count(*, controller_id: UUID, source_id: UUID) -> tuple[int, int]:
    """How many people came from the source, and how many of them another one knows too."""
    upto = last(controller_id=controller_id, source_id=source_id)
    bounds = {"controller": controller_id, "source": source_id, "after": 0, "upto": upto}
    ((people, shared),) = statements.fetch(_COUNT, bounds)
    return int(people), int(shared)
