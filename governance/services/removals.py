"""Tells the consumers of a purpose which aliases are gone, until they say that they know."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Max, QuerySet

from core import audit, idempotency, ids
from core.actors import Actor
from core.errors import NotFound
from core.ids import PublicId
from core.unit_of_work import unit_of_work
from governance.models import RemovalAcknowledgement
from governance.services import leases, purposes
from vault.models import Removal
from vault.services import removals


class RemovalNotFound(NotFound):
    """No removal of this purpose has this id."""

    code = "removal-not-found"
    text = "This purpose has no removal with this id."


def listed(
    *,
    controller_id: UUID,
    purpose_id: UUID,
    client_id: UUID | None,
    after: UUID | None,
    limit: int,
    now: datetime,
) -> list[Removal]:
    """Removals at most N days old, without those that `client_id` acknowledged.

    What was removed later stands later in the list, unless it was first read together with what
    was removed before. `after` is the id of a removal; one that is not known (it may have been,
    before a restore) lets the list begin anew. Raises PurposeNotFound.
    """
    purposes.get(controller_id=controller_id, purpose_id=purpose_id)
    removals.number(purpose_id=purpose_id)
    start = 0 if after is None else _number(purpose_id, after) or 0
    if client_id is not None:
        start = max(start, _known(purpose_id, client_id))
    since = (now - timedelta(days=settings.LETHE_REMOVAL_DAYS)).astimezone(UTC).date()
    return list(_of(purpose_id).filter(number__gt=start, on__gte=since)[:limit])


def acknowledge(
    *, controller_id: UUID, purpose_id: UUID, up_to: UUID, actor: Actor, now: datetime
) -> None:
    """Note that the client has dropped every alias up to and with the removal of id `up_to`.

    Raises PurposeNotFound, RemovalNotFound, ClientNeeded.
    """
    purposes.get(controller_id=controller_id, purpose_id=purpose_id)
    number = _number(purpose_id, up_to)
    if number is None:
        raise RemovalNotFound(field="up_to")
    with unit_of_work():
        RemovalAcknowledgement.objects.create(
            id=ids.new_time_ordered(),
            purpose_id=purpose_id,
            client_id=leases.client_of(actor),
            up_to=number,
            at=now,
        )
        audit.record(
            action="governance.removals.acknowledged",
            actor=actor,
            controller_id=controller_id,
            now=now,
            details={"purpose": ids.format(PublicId.PURPOSE, purpose_id)},
        )
        idempotency.settle(resource_id=str(up_to))


def _known(purpose_id: UUID, client_id: UUID) -> int:
    """The number of the last removal that the client has acknowledged, or 0."""
    rows = RemovalAcknowledgement.objects.filter(purpose_id=purpose_id, client_id=client_id)
    last: int | None = rows.aggregate(last=Max("up_to"))["last"]
    return last or 0


def _number(purpose_id: UUID, removal_id: UUID) -> int | None:
    """The place of a removal that was listed, or None."""
    return _of(purpose_id).filter(id=removal_id).values_list("number", flat=True).first()


def _of(purpose_id: UUID) -> QuerySet[Removal]:
    return Removal.objects.filter(purpose_id=purpose_id, number__isnull=False).order_by("number")
