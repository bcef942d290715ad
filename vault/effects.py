"""Handlers of vault's effects: edges that read the clock and drive the machine's steps."""

from datetime import timedelta
from uuid import UUID

from core import clock, failpoints
from core.effects import Again, Claim, Done
from vault.domain.states import ShreddingState
from vault.services import attesting, shredding

_PAUSE = timedelta(seconds=5)
#: States in which the eraser still has something to do.
_UNFINISHED = (
    ShreddingState.FENCED,
    ShreddingState.DRAINED,
    ShreddingState.ORDERED,
    ShreddingState.KEYS_DESTROYED,
)


def shred(claim: Claim) -> Done | Again:
    """Run an erasure from where it stands to SWEPT; on queue `shred`, as the eraser."""
    erasure_id = UUID(str(claim.payload["erasure_id"]))
    row = shredding.get(erasure_id=erasure_id)
    if row.state == ShreddingState.FENCED and claim.now < row.drain_until:
        return Again(not_before=row.drain_until, reason="draining")
    for step in (shredding.drain, shredding.order, shredding.destroy, shredding.sweep):
        step(erasure_id=erasure_id, now=clock.now())
        failpoints.reach(f"vault.shred.after-{step.__name__}")
    row = shredding.get(erasure_id=erasure_id)
    if row.state in _UNFINISHED:  # a clock that stepped back, or a step that another run took
        return Again(not_before=clock.now() + _PAUSE, reason=f"still-{row.state}")
    return Done(outcome={"state": row.state})


def attest(claim: Claim) -> Done | Again:
    """Verify an erasure that was swept; on queue `attest`, as the attester."""
    erasure_id = UUID(str(claim.payload["erasure_id"]))
    attesting.attest(erasure_id=erasure_id, now=clock.now())
    failpoints.reach("vault.attest.done")
    return Done(outcome={"state": shredding.get(erasure_id=erasure_id).state})
