"""What is announced to the journal before the keys of ordered erasures are destroyed."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from core.unit_of_work import requires_unit_of_work
from vault.domain.journal import MAX_KIDS
from vault.domain.states import Scope
from vault.models import LookupTag, Shredding, ShreddingShare
from vault.services import journal


@requires_unit_of_work
def intend(rows: Sequence[Shredding], *, now: datetime) -> None:
    """Announce the destruction of every share of `rows`, with the tags that must stay suppressed.

    No tags of a subject that lives on, of which one key group ends. As few entries as the
    journal's limits allow: one for a batch of one controller.
    """
    kids = _kids(rows)
    tags = _tags(rows)
    by_controller: dict[UUID, list[dict[str, object]]] = defaultdict(list)
    for row in rows:
        mine = kids.get(row.erasure_id, [])
        for start in range(0, max(1, len(mine)), MAX_KIDS):
            item: dict[str, object] = {
                "erasure_id": str(row.erasure_id),
                "scope": row.scope,
                "kids": mine[start : start + MAX_KIDS],
                "tags": [],
            }
            if row.scope in (Scope.GROUP, Scope.REKEY):
                item["group"] = row.group
            elif row.subject_id and not start:
                item["tags"] = tags.get(row.subject_id, [])
            by_controller[row.controller_id].append(item)
    for controller_id, items in by_controller.items():
        journal.intend_many(
            kind="destruction",
            bodies=(
                {"controller_id": str(controller_id), "cluster": "default", "items": part}
                for part in _parts(items)
            ),
            now=now,
        )


def _kids(rows: Iterable[Shredding]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = defaultdict(list)
    shares = ShreddingShare.objects.filter(shredding_id__any=[row.erasure_id for row in rows])
    for erasure_id, kid in shares.order_by("share_id").values_list("shredding_id", "share_id"):
        found[erasure_id].append(kid.hex)
    return found


def _tags(rows: Iterable[Shredding]) -> dict[UUID, list[dict[str, str]]]:
    found: dict[UUID, list[dict[str, str]]] = defaultdict(list)
    whole = [row.subject_id for row in rows if row.subject_id and row.scope == Scope.SUBJECT]
    tags = LookupTag.objects.filter(subject_id__any=whole)
    for tag in tags.order_by("kind", "suppression"):
        found[tag.subject_id].append(
            {
                "kind": tag.kind,
                "tag": bytes(tag.suppression).hex(),
                "source_id": str(tag.source_id),
            }
        )
    return found


def _parts(items: Sequence[dict[str, object]]) -> list[list[dict[str, object]]]:
    """Cut so that no entry names more kids, or more erasures, than the format allows."""
    parts: list[list[dict[str, object]]] = []
    room = 0
    for item in items:
        size = max(1, len(item["kids"]))  # type: ignore[arg-type]
        if size > room:
            parts.append([])
            room = MAX_KIDS
        parts[-1].append(item)
        room -= size
    return parts
