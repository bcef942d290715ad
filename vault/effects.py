"""Handlers of vault's effects: edges that read the clock and drive the machine's steps."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings

from core import clock, effect_batches, failpoints
from core.effects import Again, Claim, Done
from vault.domain.states import ShreddingState
from vault.errors import KeyStillAlive
from vault.services import attesting, erasing, gate, orphans, regranting, rekey_steps, shredding

_PAUSE = timedelta(seconds=5)
_HELD = timedelta(minutes=1)
_LEFT = timedelta(hours=1)


def shred(claim: Claim) -> Done | Again:
    """Run an erasure, and those that are due with it, to SWEPT; on queue `shred`, as the eraser."""
    erasure_id = UUID(str(claim.payload["erasure_id"]))
    row = shredding.get(erasure_id=erasure_id)
    if row.state == ShreddingState.FENCED and claim.now < row.drain_until:
        return Again(not_before=row.drain_until, reason="draining")
    if row.state in shredding.UNFINISHED and row.held_at and not row.released_at:
        return Again(not_before=clock.now() + _HELD, reason="held-after-restore")
    gate.require_open()
    limit = erasing.GROUPS * settings.LETHE_ERASER_BATCH
    batch = list(dict.fromkeys([erasure_id, *shredding.due(now=claim.now, limit=limit)]))
    if erasure_id in erasing.run(erasure_ids=batch, clock=clock.now):
        raise KeyStillAlive(erasure_id=str(erasure_id))
    row = shredding.get(erasure_id=erasure_id)
    if row.state in shredding.UNFINISHED:  # a lock, or a clock that stepped back
        return Again(not_before=clock.now() + _PAUSE, reason=f"still-{row.state}")

    def settle() -> None:
        done = shredding.finished(batch)
        effect_batches.end_many(kind=claim.kind, keys=map(str, done), now=clock.now())

    return Done(outcome={"state": row.state}, settle=settle)


def rekey(claim: Claim) -> Done | Again:
    """Take a re-key as far as it can go now; on queue `default`, as a worker."""
    gate.require_open()
    rekey_id = UUID(str(claim.payload["rekey_id"]))
    again = rekey_steps.advance(rekey_id=rekey_id, clock=clock.now)
    if again is not None:
        return Again(not_before=again, reason=rekey_steps.state(rekey_id))
    return Done(outcome={"state": rekey_steps.state(rekey_id)})


def regrant(claim: Claim) -> Done | Again:
    """Wrap anew what a lost version of a purpose's key wrapped; on queue `default`, as a worker."""
    left = regranting.regrant(
        wrapping_key=str(claim.payload["wrapping_key"]), version=int(claim.payload["version"])
    )
    if left:  # of people whose own keys are lost, too
        return Again(not_before=clock.now() + _LEFT, reason="keys-lost")
    return Done()


def find_orphans(claim: Claim) -> Done | Again:
    """Write down keys that a restored database does not know; on queue `shred`, as the eraser."""
    gate.require_open()
    return Done(outcome={"found": orphans.find(now=claim.now)})


def attest(claim: Claim) -> Done | Again:
    """Verify an erasure that was swept, and others with it; on queue `attest`, as the attester."""
    erasure_id = UUID(str(claim.payload["erasure_id"]))
    gate.require_open()
    others = shredding.to_verify(limit=settings.LETHE_ERASER_BATCH)
    batch = list(dict.fromkeys([erasure_id, *others]))
    if erasure_id in attesting.attest(erasure_ids=batch, now=clock.now()):
        raise KeyStillAlive(erasure_id=str(erasure_id))
    failpoints.reach("vault.attest.done")

    def settle() -> None:
        done = shredding.verified(batch)
        effect_batches.end_many(kind=claim.kind, keys=map(str, done), now=clock.now())

    return Done(outcome={"state": shredding.get(erasure_id=erasure_id).state}, settle=settle)
