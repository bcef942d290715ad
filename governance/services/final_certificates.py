"""Erasures that no backup can undo any more: found hourly, certified by the attester."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from core import effect_batches
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from governance.models import SubjectRequest
from governance.services import part_certificates
from vault.domain.backups import Doubt
from vault.models import DestructionAttestation
from vault.services import clearing

_BATCH: Final = 200
#: Batches of one round; the next round goes on.
_ROUNDS: Final = 500


@no_open_transaction
def clear(*, now: datetime) -> int:
    """Move every erasure that is clear of backups on, and ask for its final certificate; how many.

    One of `LETHE_PURGES`; each batch is a unit of work of its own.
    """
    count = 0
    for _ in range(_ROUNDS):
        with unit_of_work():
            cleared = clearing.clear(limit=_BATCH, now=now)
            _ask(wanted(cleared), now=now)
        count += len(cleared)
        if len(cleared) < _BATCH:
            break
    return count


def wanted(erasure_ids: Sequence[UUID]) -> list[UUID]:
    """Those of which there is somebody to certify to: requested ones, and parts."""
    requests = SubjectRequest.objects.filter(erasure_id__any=list(erasure_ids))
    requested = set(requests.values_list("erasure_id", flat=True))
    attestations = DestructionAttestation.objects.filter(erasure_id__any=list(erasure_ids))
    return [
        one.erasure_id
        for one in attestations.order_by("at", "erasure_id")
        if one.erasure_id in requested or part_certificates.is_part(one.body)
    ]


@requires_unit_of_work
def _ask(erasure_ids: Sequence[UUID], *, now: datetime) -> None:
    effect_batches.enqueue_many(
        kind="governance.certify-final",
        items=[(str(id_), {"erasure_id": str(id_)}) for id_ in erasure_ids],
        now=now,
    )


def outlook(*, erasure_id: UUID, now: datetime) -> dict[str, Any] | None:
    """What the final certificate waits for: `state`, `at` (the date as known), and `reason`.

    None until the destruction was verified. `pending` with `at` names the day on which the last
    copy is to end.
    """
    horizon = clearing.outlook(erasure_id, now=now)
    if horizon is None:
        return None
    if horizon.doubt is Doubt.CONTRADICTED:
        state = "contradicted"
    else:
        state = "pending" if horizon.doubt else "established"
    reason = None if horizon.doubt is None else horizon.doubt.value
    return {"state": state, "at": horizon.until, "reason": reason}
