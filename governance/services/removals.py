"""Tells the consumers of a purpose which aliases are gone, until they say that they know."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from core import audit, idempotency, ids
from core.actors import Actor
from core.errors import NotFound
from core.ids import PublicId
from core.unit_of_work import unit_of_work
from governance.models import RemovalAcknowledgement
from governance.services import leases, purposes
from vault.models import Removal

_START = UUID(int=0)


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
    """Removals, oldest first, at most N days old; without those that `client_id` acknowledged.

    Raises PurposeNotFound.
    """
    purposes.get(controller_id=controller_id, purpose_id=purpose_id)
    start = max(after or _START, _START if client_id is None else _known(purpose_id, client_id))
    since = now - timedelta(days=settings.LETHE_REMOVAL_DAYS)
    return list(_of(purpose_id).filter(id__gt=start, at__gte=since)[:limit])


def acknowledge(
    *, controller_id: UUID, purpose_id: UUID, up_to: UUID, actor: Actor, now: datetime
) -> None:
    """Note that the client has dropped every alias up to and with the removal `up_to`.

    Raises PurposeNotFound, RemovalNotFound, ClientNeeded.
    """
    purposes.get(controller_id=controller_id, purpose_id=purpose_id)
    if not _of(purpose_id).filter(id=up_to).exists():
        raise RemovalNotFound(field="up_to")
    with unit_of_work():
        RemovalAcknowledgement.objects.create(
            id=ids.new_time_ordered(),
            purpose_id=purpose_id,
            client_id=leases.client_of(actor),
            up_to=up_to,
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


def _known(purpose_id: UUID, client_id: UUID) -> UUID:
    """The last removal that the client has acknowledged."""
    rows = RemovalAcknowledgement.objects.filter(purpose_id=purpose_id, client_id=client_id)
    return rows.order_by("-up_to").values_list("up_to", flat=True).first() or _START


def _of(purpose_id: UUID) -> QuerySet[Removal]:
    return Removal.objects.filter(purpose_id=purpose_id).order_by("id")
