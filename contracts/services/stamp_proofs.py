"""The timestamp over a head with an entry: the first, which says most about when it was there."""

import base64
from typing import Any

from contracts.domain import tree
from contracts.domain.checkpoint import proof_text
from contracts.models import LogLeaf, LogTimestamp
from contracts.services import tree_rows
from core.canonical import instant


def of_leaf(leaf: bytes) -> dict[str, Any] | None:
    """The `stamp` of a document's log part; None while no head with it is stamped.

    Raises LogBroken.
    """
    row = LogLeaf.objects.filter(leaf=leaf).first()
    if row is None:
        return None
    stamped = LogTimestamp.objects.filter(checkpoint__batch__size__gt=row.index)
    first = stamped.select_related("checkpoint__batch").order_by("checkpoint_id").first()
    if first is None:
        return None
    size = first.checkpoint.batch.size
    path = tree.inclusion(tree_rows.StoredNodes(size), index=row.index, size=size)
    return {
        "token": base64.b64encode(bytes(first.token)).decode(),
        "stamped_at": instant(first.stamped_at),
        "proof": proof_text(index=row.index, path=path, checkpoint=first.checkpoint.note),
    }
