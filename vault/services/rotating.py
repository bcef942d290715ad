"""Rotations of wrapping keys: begun here, listed here; `rotation_steps` does the rest."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from core import audit, failpoints
from core.actors import Actor
from core.errors import Conflict
from core.unit_of_work import no_open_transaction, unit_of_work
from vault import runtime
from vault.domain.states import RotationState
from vault.errors import KeyLost
from vault.models import LostVersion, PurposeKey, Rotation
from vault.services import gate
from vault.services.purpose_keys import WrappingKeyMissing

CUSTODY: Final = "custody"


class RotationRunning(Conflict):
    """The key is on its way to a new version already."""

    code = "rotation-running"
    text = "This key is being rotated already; see `manage.py rotate_purpose_key --status`."


@no_open_transaction
def begin(*, purpose_id: UUID | None, actor: Actor, now: datetime) -> Rotation:
    """Commit to a new version of the purpose's wrapping key; of the custody key for None.

    Raises WrappingKeyMissing, RotationRunning, RestoreReplayRequired, CustodianUnavailable, and
    KeyLost while the key store lacks a version that grants are under: another one of the same
    number would hide what is lost.
    """
    gate.require_open()
    name = CUSTODY if purpose_id is None else _name(purpose_id)
    versions = runtime.rotation().key_versions(name)
    if versions is None:
        raise WrappingKeyMissing
    with unit_of_work():
        gate.require_open()
        list(PurposeKey.objects.select_for_update().filter(name=name))  # one after another
        of_key = Rotation.objects.filter(wrapping_key=name).exclude(state=RotationState.DONE)
        if of_key.exists():
            raise RotationRunning
        if LostVersion.objects.filter(wrapping_key=name).exists():
            raise KeyLost(reason="version-absent")
        row = Rotation.objects.create(
            wrapping_key=name,
            purpose_id=purpose_id,
            state=RotationState.PLANNED,
            from_version=versions.latest,
            requested_by=actor.id,
            planned_at=now,
        )
        audit.record(
            action="vault.rotation.planned",
            actor=actor,
            controller_id=None,
            now=now,
            details={"rotation": str(row.id), "version": versions.latest},
        )
    failpoints.reach("vault.rotation.begun")
    return row


def _name(purpose_id: UUID) -> str:
    name = PurposeKey.objects.filter(purpose_id=purpose_id).values_list("name", flat=True).first()
    if name is None:
        raise WrappingKeyMissing
    return name


def running() -> Sequence[Rotation]:
    """Rotations that are not done, oldest first."""
    return list(Rotation.objects.exclude(state=RotationState.DONE).order_by("planned_at"))


def latest(*, limit: int) -> Sequence[Rotation]:
    """The newest rotations, done ones included."""
    return list(Rotation.objects.order_by("-planned_at")[:limit])
