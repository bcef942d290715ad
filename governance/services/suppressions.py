"""A source acknowledges an erasure: it has erased too, and its references may be taken anew."""

from datetime import datetime
from uuid import UUID

from core import audit, idempotency
from core.actors import Actor
from core.errors import NotFound
from core.unit_of_work import no_open_transaction, unit_of_work
from governance.services import intake
from vault import runtime
from vault.domain.lookup import Reference, tag_input
from vault.models import SuppressionTag


class NothingSuppressed(NotFound):
    """No erased subject of this source has the reference, or it was acknowledged before."""

    code = "nothing-suppressed"
    text = "No erasure that you have still to acknowledge has this reference."


@no_open_transaction
def acknowledge(*, controller_id: UUID, reference: Reference, actor: Actor, now: datetime) -> int:
    """Delete this source's suppression tags of the erasure that the reference leads to.

    Other sources keep theirs. Returns how many tags were deleted. Raises NothingSuppressed,
    CustodianUnavailable.
    """
    value = tag_input(controller_id=controller_id, reference=reference)
    (tag,) = runtime.hasher().tags(key="suppression", values=[value])
    own = SuppressionTag.objects.filter(
        controller_id=controller_id, source_id=intake.source_of(actor)
    )
    with unit_of_work():
        erasures = set(
            own.filter(kind=reference.kind, tag=tag).values_list("erasure_id", flat=True)
        )
        if not erasures:
            raise NothingSuppressed(field="reference")
        deleted, _ = own.filter(erasure_id__in=erasures).delete()
        for erasure_id in sorted(erasures):
            audit.record(
                action="governance.erasure.acknowledged",
                actor=actor,
                controller_id=controller_id,
                now=now,
                erasure_id=erasure_id,
            )
        idempotency.settle(resource_id=str(deleted))
    return deleted


def expire(*, now: datetime) -> int:
    """Delete the tags whose last day has passed, acknowledged or not; how many.

    Run daily: until a tag is deleted its reference answers as erased.
    """
    deleted, _ = SuppressionTag.objects.filter(expires_at__lte=now).delete()
    return deleted
