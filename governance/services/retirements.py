"""A purpose is retired: nothing begins on it any more, and everybody's ground for it is withdrawn.

The first is true with the commit, the second follows in batches. It takes away only, so it goes on
while the gate is closed, and one person decides.
"""

from datetime import datetime
from uuid import UUID

from core import audit, idempotency, ids
from core.actors import Actor
from core.ids import PublicId
from core.unit_of_work import no_open_transaction, unit_of_work
from governance.domain.mass import MassKind, MassState
from governance.errors import PersonNeeded
from governance.models import MassAct, Purpose
from governance.services import mass_acts
from governance.services.purposes import PurposeNotFound, PurposeRetired
from vault.models import Alias


@no_open_transaction
def retire(*, controller_id: UUID, purpose_id: UUID, actor: Actor, now: datetime) -> MassAct:
    """Retire the purpose for good. The caller has checked the role.

    From this commit no consent, lease or page of it is possible; the grants themselves are gone
    once the act is done. Raises PurposeNotFound, PersonNeeded, PurposeRetired.
    """
    if actor.person_id is None:
        raise PersonNeeded
    with unit_of_work():
        own = Purpose.objects.select_for_update().filter(controller_id=controller_id)
        purpose = own.filter(id=purpose_id).first()
        if purpose is None:
            raise PurposeNotFound
        if purpose.state == Purpose.State.RETIRED:
            raise PurposeRetired
        purpose.state = Purpose.State.RETIRED
        purpose.save(update_fields=["state"])
        mass_act = _begin(purpose, now=now)
        audit.record(
            action="governance.purpose.retired",
            actor=actor,
            controller_id=controller_id,
            now=now,
            details={"purpose": str(purpose.id)},
        )
        mass_acts.record("started", mass_act, actor=actor, now=now)
        mass_acts.enqueue(mass_act, now=now)
        idempotency.settle(resource_id=ids.format(PublicId.MASS_ACT, mass_act.id))
    return mass_act


def _begin(purpose: Purpose, *, now: datetime) -> MassAct:
    people = Alias.objects.filter(purpose_id=purpose.id, ground__isnull=False).count()
    return MassAct.objects.create(
        controller_id=purpose.controller_id,
        kind=MassKind.WITHDRAW_PURPOSE,
        scope_id=purpose.id,
        state=MassState.RUNNING,
        expected={"people": people},
        created_at=now,
        started_at=now,
    )
