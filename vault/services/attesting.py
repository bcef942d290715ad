"""The attester's part: read the destruction back with another credential and write it down."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from core import audit, failpoints
from core.actors import process_actor
from core.canonical import instant
from core.unit_of_work import no_open_transaction, unit_of_work
from vault import runtime
from vault.domain.binding import share_digest
from vault.domain.states import Scope, ShreddingState
from vault.errors import KeyStillAlive
from vault.models import DestructionAttestation, KeyShare, Shredding
from vault.ports import DestructionReading, ShareState
from vault.services import keys

ATTESTER = process_actor("attester")


@no_open_transaction
def attest(*, erasure_id: UUID, now: datetime) -> None:
    """Read every share of the erasure on every node; store the attestation; tell participants.

    Does nothing unless the erasure is SWEPT. Raises CustodianUnavailable (a node does not
    answer), KeyStillAlive (stop, page).
    """
    shredding = Shredding.objects.get(erasure_id=erasure_id)
    if shredding.state != ShreddingState.SWEPT:
        return
    shares = list(KeyShare.objects.filter(shreddingshare__shredding=shredding).order_by("kid"))
    readings = runtime.custodian().read_destruction([keys.share_ref(share) for share in shares])
    read = {UUID(bytes=reading.ref.kid) for reading in readings}
    if any(r.state is ShareState.LIVE for r in readings) or read != {s.kid for s in shares}:
        raise KeyStillAlive(erasure_id=str(erasure_id))
    failpoints.reach("vault.attest.read-back")
    with unit_of_work():
        current = Shredding.objects.select_for_update().get(erasure_id=erasure_id)
        if current.state != ShreddingState.SWEPT:
            return
        current.state, current.verified_at = ShreddingState.VERIFIED, now
        current.save(update_fields=["state", "verified_at"])
        DestructionAttestation.objects.create(
            erasure_id=erasure_id,
            controller_id=current.controller_id,
            body=_body(current, readings),
            at=now,
        )
        audit.record(
            action="vault.shredding.verified",
            actor=ATTESTER,
            controller_id=current.controller_id,
            now=now,
            erasure_id=erasure_id,
            details={"readings": len(readings)},
        )
        for participant in runtime.participants():
            participant.attested(erasure_id=erasure_id)


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
