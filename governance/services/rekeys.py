"""Parts of a person's data that end while the person lives on: records, old versions, a key group.

Until requests of these kinds have procedures of their own, a person of the controller answers for
each act. The caller has checked the role.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from core import effects, failpoints, idempotency, ids
from core.actors import Actor
from core.canonical import instant
from core.errors import NotFound, ServiceError
from core.ids import PublicId
from core.unit_of_work import no_open_transaction, unit_of_work
from governance.services import erasure
from governance.services.requests import ErasureLocked
from vault.errors import ShredBlocked
from vault.models import Rekey, Shredding
from vault.services import expiring, gate, rekeying, subjects
from vault.services.creating import MAIN_GROUP

#: Subjects of one run of a group's expiry; each is a commit of its own.
BATCH = 200


class ExpiryNotFound(NotFound):
    """No such expiry, or another controller's."""

    code = "expiry-not-found"
    text = "There is no expiry of yours with this id."


@no_open_transaction
def erase_record(
    *, controller_id: UUID, record_id: UUID, expected_version: int, actor: Actor, now: datetime
) -> Rekey:
    """Remove all versions of a record now, and their keys in backups later.

    Raises RecordUnknown, SubjectErased, PreconditionFailed, ErasureLocked, RekeyRunning.
    """
    return _rekeyed(
        rekeying.erase_record,
        controller_id=controller_id,
        record_id=record_id,
        expected_version=expected_version,
        actor=actor,
        now=now,
    )


@no_open_transaction
def drop_superseded(
    *, controller_id: UUID, record_id: UUID, expected_version: int, actor: Actor, now: datetime
) -> Rekey:
    """Remove the versions that a correction has superseded. Raises as `erase_record`."""
    return _rekeyed(
        rekeying.drop_superseded,
        controller_id=controller_id,
        record_id=record_id,
        expected_version=expected_version,
        actor=actor,
        now=now,
    )


@no_open_transaction
def suspect_leak(
    *, controller_id: UUID, subject_id: UUID, group: str, actor: Actor, now: datetime
) -> Rekey:
    """Give a key group another key.

    Raises SubjectNotFound, SubjectErased, GroupNotFound, RekeyRunning.
    """
    return _rekeyed(
        rekeying.suspect_leak,
        controller_id=controller_id,
        subject_id=subject_id,
        group=group,
        actor=actor,
        now=now,
    )


def _rekeyed(act: Callable[..., Rekey], **named: Any) -> Rekey:
    try:
        with unit_of_work():
            rekey = act(**named)
            idempotency.settle(resource_id=ids.format(PublicId.REKEY, rekey.id))
    except ShredBlocked as error:
        raise ErasureLocked(ground=error.context.get("ground")) from error
    return rekey


def get_rekey(*, controller_id: UUID, rekey_id: UUID) -> Rekey:
    """The re-key as it stands. Raises RekeyNotFound, RestoreReplayRequired."""
    gate.require_open()
    return rekeying.get(controller_id=controller_id, rekey_id=rekey_id)


@no_open_transaction
def expire(
    *, controller_id: UUID, subject_id: UUID, group: str, actor: Actor, now: datetime
) -> Shredding:
    """End a key group of one person whose retention has ended.

    Raises GroupNotExpirable, SubjectNotFound, SubjectErased, GroupNotFound, ErasureLocked,
    RekeyRunning, RestoreReplayRequired.
    """
    subjects.require_live(controller_id=controller_id, subject_id=subject_id)
    try:
        with unit_of_work():
            row = expiring.expire(
                controller_id=controller_id,
                subject_id=subject_id,
                group=group,
                actor=actor,
                open_leases=erasure.open_leases(subject_id, now=now),
                now=now,
            )
            idempotency.settle(resource_id=ids.format(PublicId.ERASURE, row.erasure_id))
    except ShredBlocked as error:
        raise ErasureLocked(ground=error.context.get("ground")) from error
    return row


def get_expiry(*, controller_id: UUID, erasure_id: UUID) -> Shredding:
    """The expiry as it stands. Raises ExpiryNotFound, RestoreReplayRequired."""
    gate.require_open()
    found = expiring.get(controller_id=controller_id, erasure_id=erasure_id)
    if found is None:
        raise ExpiryNotFound
    return found


@no_open_transaction
def expire_everybody(*, controller_id: UUID, group: str, actor: Actor, now: datetime) -> None:
    """End the group for every person of the controller who has data in it now, in the background.

    What a hold covers, and what is being re-keyed, is left; ask again later. Raises
    GroupNotExpirable.
    """
    if group == MAIN_GROUP:
        raise expiring.GroupNotExpirable(field="group")
    before = instant(now)
    with unit_of_work():
        effects.enqueue(
            kind="governance.expire-group",
            key=f"{controller_id}:{group}:{before}",
            payload={
                "controller_id": str(controller_id),
                "group": group,
                "before": before,
                "actor": actor.id,
            },
            now=now,
        )


@no_open_transaction
def expire_batch(
    *, controller_id: UUID, group: str, before: datetime, actor: Actor, now: datetime
) -> int:
    """End the group for up to BATCH persons who had data in it before that time; how many ended.

    0 when nobody is left whose data may end now.
    """
    done, after = 0, UUID(int=0)
    while True:
        named: dict[str, Any] = {"controller_id": controller_id, "group": group}
        page = expiring.due(**named, before=before, after=after, limit=BATCH - done)
        for subject_id in page:
            done += _has_expired(**named, subject_id=subject_id, actor=actor, now=now)
            failpoints.reach("governance.expiry.expired")
        if not page or done == BATCH:
            return done
        after = page[-1]


def _has_expired(**named: Any) -> bool:
    """False where a hold, a re-key under way or an erasure stands against it."""
    try:
        expire(**named)
    except ServiceError as error:
        if error.retryable:
            raise
        return False
    return True
