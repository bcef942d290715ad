"""The SELECT of a custody read: gate, subject, records, their data keys and shares at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from core import statements
from vault.domain.states import Scope, ShareState, ShreddingState, SubjectState
from vault.errors import KeyLost, RestoreReplayRequired, SubjectErased, SubjectNotFound
from vault.models import ShreddingShare
from vault.ports import GrantToOpen, ShareRef
from vault.services import gate, keys


class CustodyRow(NamedTuple):
    """A current record, named as in its model; `grant` is None when it has none for custody."""

    record_id: UUID
    category_id: UUID
    version: int
    ciphertext: bytes
    created_at: datetime
    subject_id: UUID
    data_key_id: UUID
    grant: GrantToOpen | None


_OUT_OF_USE: Final = (ShareState.RETIRED, ShareState.DESTROYED, ShareState.ABSENT)
_SELECT: Final = """
SELECT {gate}, s.state, r.record_id, r.category_id, r.version, r.ciphertext, r.created_at,
       r.subject_id, r.data_key_id, k.state, k.kid, k.cluster, c.wrapped
FROM vault_subject s
LEFT JOIN vault_sealedrecord r ON r.subject_id = s.id AND r.is_current
  AND (%(categories)s::uuid[] IS NULL OR r.category_id = ANY(%(categories)s::uuid[]))
  AND (%(source)s::uuid IS NULL OR r.source_id = %(source)s::uuid)
LEFT JOIN vault_datakey d ON d.id = r.data_key_id
LEFT JOIN vault_keyshare k ON k.kid = d.share_id
LEFT JOIN vault_custodygrant c ON c.data_key_id = r.data_key_id
WHERE s.id = %(subject)s AND s.controller_id = %(controller)s
ORDER BY r.record_id
""".replace("{gate}", gate.OPEN_SQL)


def select(
    *,
    controller_id: UUID,
    subject_id: UUID,
    category_ids: Sequence[UUID] | None,
    source_id: UUID | None,
) -> list[CustodyRow]:
    """The subject's current records, by id; None reads all categories, all sources.

    Without those of a key group that is being destroyed. Raises RestoreReplayRequired,
    SubjectNotFound, SubjectErased, KeyLost.
    """
    parameters = {
        "subject": subject_id,
        "controller": controller_id,
        "categories": None if category_ids is None else list(category_ids),
        "source": source_id,
    }
    rows = statements.fetch(_SELECT, parameters)
    if not rows:
        gate.require_open()
        raise SubjectNotFound
    is_open, state = rows[0][:2]
    if not is_open:
        raise RestoreReplayRequired
    if state != SubjectState.LIVE:
        raise SubjectErased
    if any(row[9] == ShareState.LOST for row in rows):
        raise KeyLost
    _require_whole(rows)
    return [
        CustodyRow._make((*row[2:9], _grant(controller_id, *row[10:])))
        for row in rows
        if row[9] == ShareState.LIVE
    ]


def _require_whole(rows: Sequence[tuple[Any, ...]]) -> None:
    """Raise KeyLost for a record that is there under a key out of use and under no other.

    Unless its key group is being destroyed: then it is not to be read, by right.
    """
    readable = {row[2] for row in rows if row[9] == ShareState.LIVE}
    shut = {row[10] for row in rows if row[9] in _OUT_OF_USE and row[2] not in readable}
    if not shut:
        return
    ending = ShreddingShare.objects.filter(share__in=shut, shredding__scope=Scope.GROUP)
    ending = ending.exclude(shredding__state=ShreddingState.CANCELLED)
    if shut - set(ending.values_list("share_id", flat=True)):
        raise KeyLost


def _grant(
    controller_id: UUID, kid: UUID, cluster: str, wrapped: bytes | None
) -> GrantToOpen | None:
    if wrapped is None:
        return None
    share = ShareRef(kid.bytes, controller_id, cluster)
    return GrantToOpen(share, keys.CUSTODY, bytes(wrapped))
