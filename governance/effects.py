"""Handlers of governance's effects: edges that read the clock and call one service."""

from datetime import timedelta
from uuid import UUID

from core import clock, effect_batches
from core.actors import Actor
from core.canonical import parse_instant
from core.effects import Again, Claim, Done
from core.unit_of_work import requires_unit_of_work
from governance.models import PurposeVersion
from governance.services import certificates, consent, mass_running, purposes, rekeys
from vault.errors import KeyLost

#: Interim certificates that are signed in one run.
_CERTIFICATES = 100
#: How long a final certificate waits for the interim one that it names.
_INTERIM_PAUSE = timedelta(minutes=5)
#: How long until grants are tried again that a lost key hinders.
_LOST_PAUSE = timedelta(hours=1)


def certify(claim: Claim) -> Done:
    """Issue the interim certificate of a verified erasure, and others that wait; on `attest`."""
    erasure_id = UUID(str(claim.payload["erasure_id"]))
    others = effect_batches.waiting(kind=claim.kind, now=claim.now, limit=_CERTIFICATES)
    issued = certificates.issue_many(
        erasure_ids=list(dict.fromkeys([erasure_id, *map(UUID, others)])), now=clock.now()
    )
    certificate = certificates.issue(erasure_id=erasure_id, now=clock.now())

    def settle() -> None:
        keys = map(str, issued - {erasure_id})
        effect_batches.end_many(kind=claim.kind, keys=keys, now=clock.now())

    return Done(outcome={"certificate": str(certificate.id)}, settle=settle)


def certify_final(claim: Claim) -> Done | Again:
    """Issue the final certificate of an erasure that is clear of backups; on queue `attest`."""
    erasure_id = UUID(str(claim.payload["erasure_id"]))
    try:
        certificate = certificates.issue_final(erasure_id=erasure_id, now=clock.now())
    except certificates.NotCleared:  # the interim one is still to come
        return Again(not_before=clock.now() + _INTERIM_PAUSE, reason="no-interim-certificate")
    return Done(outcome={"certificate": str(certificate.id)})


def activate_purpose(claim: Claim) -> Done:
    """Bring one batch of subjects to a version that was activated; the next batch follows."""
    version_id = UUID(str(claim.payload["version_id"]))
    after = claim.payload["after"]
    last = purposes.activate_batch(
        version_id=version_id, after=UUID(str(after)) if after else None, now=clock.now()
    )
    if last is None:
        return Done(outcome={"next": None})

    @requires_unit_of_work
    def follow() -> None:
        version = PurposeVersion.objects.get(id=version_id)
        purposes.enqueue_batch(version=version, after=last, now=clock.now())

    return Done(outcome={"next": str(last)}, settle=follow)


def expire_group(claim: Claim) -> Done | Again:
    """End a key group for one batch of persons after another."""
    named = {name: str(claim.payload[name]) for name in ("controller_id", "group", "actor")}
    controller_id = UUID(named["controller_id"])
    done = rekeys.expire_batch(
        controller_id=controller_id,
        group=named["group"],
        before=parse_instant(str(claim.payload["before"])),
        actor=Actor(named["actor"], "process", controller_id),
        now=clock.now(),
    )
    if done == rekeys.BATCH:
        return Again(not_before=clock.now(), reason="more")
    return Done()


def run_mass_act(claim: Claim) -> Done | Again:
    """Work off a mass erasure, or what a purpose's retirement withdraws."""
    mass_act_id = UUID(str(claim.payload["mass_act_id"]))
    if mass_running.run(mass_act_id=mass_act_id, clock=clock.now):
        return Again(not_before=clock.now(), reason="more")
    return Done()


def activate_consents(claim: Claim) -> Done | Again:
    """Make the grants of consents whose own call could not reach the key store."""
    first, last = _range(claim)
    try:
        consent.finish(first=first, last=last, now=clock.now())
    except KeyLost:  # all others have their grants; the right snapshot may come
        return Again(not_before=clock.now() + _LOST_PAUSE, reason="key-lost")
    return Done()


def ground_again(claim: Claim) -> Done | Again:
    """Make the grants that a lost key hindered when a purpose was activated."""
    version_id = UUID(str(claim.payload["version_id"]))
    first, last = _range(claim)
    try:
        purposes.ground_again(version_id=version_id, first=first, last=last, now=clock.now())
    except KeyLost:
        return Again(not_before=clock.now() + _LOST_PAUSE, reason="key-lost")
    return Done()


def _range(claim: Claim) -> tuple[UUID, UUID]:
    return UUID(str(claim.payload["first"])), UUID(str(claim.payload["last"]))
