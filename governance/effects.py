"""Handlers of governance's effects: edges that read the clock and call one service."""

from datetime import timedelta
from uuid import UUID

from core import clock
from core.actors import Actor
from core.canonical import parse_instant
from core.effects import Again, Claim, Done
from core.unit_of_work import requires_unit_of_work
from governance.models import PurposeVersion
from governance.services import certificates, consent, purposes, rekeys

#: How long a final certificate waits for the interim one that it names.
_INTERIM_PAUSE = timedelta(minutes=5)


def certify(claim: Claim) -> Done:
    """Issue the interim certificate of a verified erasure; on queue `attest`."""
    certificate = certificates.issue(
        erasure_id=UUID(str(claim.payload["erasure_id"])), now=clock.now()
    )
    return Done(outcome={"certificate": str(certificate.id)})


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


def activate_consents(claim: Claim) -> Done:
    """Make the grants of consents whose own call could not reach the key store."""
    first, last = (UUID(str(claim.payload[name])) for name in ("first", "last"))
    consent.finish(first=first, last=last, now=clock.now())
    return Done()
