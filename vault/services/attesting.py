"""The attester's part: read the destruction back with another credential and write it down."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from core import failpoints
from core.actors import process_actor
from core.canonical import instant
from core.copying import copy_in
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.binding import share_digest
from vault.domain.states import Scope, ShreddingState
from vault.models import Shredding, ShreddingShare
from vault.ports import DestructionReading, ShareRef, ShareState
from vault.services import shredding

ATTESTER = process_actor("attester")
_ATTESTATION: Final = {
    "erasure_id": "uuid",
    "controller_id": "uuid",
    "body": "jsonb",
    "at": "timestamptz",
}


@no_open_transaction
def attest(*, erasure_ids: Sequence[UUID], now: datetime) -> set[UUID]:
    """Read every share of the erasures on every node; store attestations; tell participants.

    Does nothing for those that are not SWEPT. Returns the erasures of which a key is still alive:
    stop, page; all others are settled. Raises CustodianUnavailable (a node does not answer).
    """
    swept = Shredding.objects.filter(erasure_id__any=erasure_ids, state=ShreddingState.SWEPT)
    shares = _shares(list(swept.values_list("erasure_id", flat=True)))
    refs = dict.fromkeys(chain(*shares.values()))
    read: dict[bytes, list[DestructionReading]] = defaultdict(list)
    for reading in runtime.custodian().read_destruction(list(refs)):
        read[reading.ref.kid].append(reading)
    of = {erasure_id: [read[ref.kid] for ref in held] for erasure_id, held in shares.items()}
    alive = {erasure_id for erasure_id, readings in of.items() if not all(map(_is_gone, readings))}
    failpoints.reach("vault.attest.read-back")
    gone = {id_: [*chain(*readings)] for id_, readings in of.items() if id_ not in alive}
    with unit_of_work():
        _verify(gone, now=now)
    return alive


def _shares(erasure_ids: Sequence[UUID]) -> dict[UUID, list[ShareRef]]:
    found: dict[UUID, list[ShareRef]] = {erasure_id: [] for erasure_id in erasure_ids}
    links = ShreddingShare.objects.filter(shredding_id__any=erasure_ids).order_by("share_id")
    for erasure_id, kid, controller_id, cluster in links.values_list(
        "shredding_id", "share_id", "share__controller_id", "share__cluster"
    ):
        found[erasure_id].append(ShareRef(kid.bytes, controller_id, cluster))
    return found


def _is_gone(readings: Sequence[DestructionReading]) -> bool:
    return bool(readings) and all(r.state is not ShareState.LIVE for r in readings)


@requires_unit_of_work
def _verify(gone: Mapping[UUID, Sequence[DestructionReading]], *, now: datetime) -> None:
    """Mark those verified that still wait for it, and write down what was read."""
    waiting = Shredding.objects.select_for_update().filter(erasure_id__any=list(gone))
    rows = list(waiting.filter(state=ShreddingState.SWEPT).order_by("erasure_id"))
    for row in rows:
        row.verified_at = now
    attestations = [
        (row.erasure_id, row.controller_id, Jsonb(_body(row, gone[row.erasure_id])), now)
        for row in rows
    ]
    copy_in(table="vault_destructionattestation", columns=_ATTESTATION, rows=attestations)
    details = {row.erasure_id: {"readings": len(gone[row.erasure_id])} for row in rows}
    shredding.move(rows, ShreddingState.VERIFIED, now=now, actor=ATTESTER, details=details)
    for participant in runtime.participants() if rows else ():
        participant.attested(erasure_ids=[row.erasure_id for row in rows])


def _body(shredding: Shredding, readings: Sequence[DestructionReading]) -> dict[str, Any]:
    steps = ("fenced", "drained", "ordered", "keys_destroyed", "swept", "verified")
    times = {f"{step}_at": instant(getattr(shredding, f"{step}_at")) for step in steps}
    times["destroyed_at"] = times.pop("keys_destroyed_at")
    part = {"scope": shredding.scope, "group": shredding.group, "request": shredding.request}
    return {
        **times,
        **(part if shredding.scope != Scope.SUBJECT else {}),
        "open_leases": shredding.open_leases,
        "nodes": sorted({reading.node for reading in readings}),
        "shares": [
            {
                "share": share_digest(UUID(bytes=reading.ref.kid)),
                "state": reading.state.value,
                "versions": reading.versions,
                "node": reading.node,
                "destroyed_at": reading.destroyed_at and instant(reading.destroyed_at),
            }
            for reading in readings
        ],
        "counts": shredding.counts,
        "journal": {name: shredding.journal[name] for name in ("journal_id", "sequence", "hash")},
    }
