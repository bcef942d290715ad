"""The steps of a rotation: rotate, await a snapshot, rewrap, await the end of backups, refuse.

Each step may be repeated from whatever a crash left. Old versions open what they wrapped until no
backup of the database can hold such a wrap; the new one is used for what exists once a snapshot of
the key store holds it. So neither store restored alone loses a grant. There is no fallback by the
clock: without an inventory of backups a rotation waits.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from core import audit, failpoints
from core.actors import process_actor
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.states import RotationState, require_rotation_move
from vault.errors import KeyLost
from vault.models import LostVersion, Rotation
from vault.ports import KeyVersions
from vault.services import gate, rewrapping
from vault.services.purpose_keys import WrappingKeyMissing
from vault.services.rekey_steps import is_attested

COMMAND = process_actor("command")
#: How long until a step that waits for others looks again.
_PAUSE: Final = timedelta(minutes=5)
#: A backup that began this soon after a commit may have begun before it: clocks differ.
_MARGIN: Final = timedelta(minutes=1)

Clock = Callable[[], datetime]


@no_open_transaction
def advance(*, rotation_id: UUID, clock: Clock) -> datetime | None:
    """Take the rotation as far as it can go; when to come again, or None when it is done.

    Raises RestoreReplayRequired, CustodianUnavailable (repeat), CustodianRefused (this process
    may not rotate), WrappingKeyMissing, and KeyLost when the key store lacks the new version.
    """
    while True:
        gate.require_open()
        row = Rotation.objects.get(id=rotation_id)
        if row.state == RotationState.DONE:
            return None
        again = _STEPS[RotationState(row.state)](row, clock)
        if again is not None:
            return again


def are_cleared(*, since: datetime, now: datetime) -> bool:
    """Whether no backup of the database, and no log archive, can be from before that time."""
    cleared: Callable[..., bool] = import_string(settings.LETHE_BACKUPS_CLEARED)
    return cleared(store="database", since=since, now=now)


def _rotate(row: Rotation, clock: Clock) -> datetime | None:
    """An answer that was lost is unknown: the versions say whether it was done."""
    failpoints.reach("vault.rotation.planned")
    versions = _versions(row)
    if versions.latest == row.from_version:
        runtime.rotation().rotate(row.wrapping_key)
        failpoints.reach("vault.rotation.rotating")
        versions = _versions(row)
    if versions.latest <= row.from_version:
        raise KeyLost(reason="version-absent")
    with unit_of_work():
        current = _locked(row)
        if current is not None:
            current.to_version = versions.latest
            current.mark = versions.marks[versions.latest]
            current.rotated_at = clock()
            _move(current, RotationState.ROTATED, now=clock())
    failpoints.reach("vault.rotation.rotated")
    return None


def _await_snapshot(row: Rotation, clock: Clock) -> datetime | None:
    _require_version(row)
    since = row.rotated_at or row.planned_at
    if not is_attested(store="key-store", after=since + _MARGIN):
        return clock() + _PAUSE
    with unit_of_work():
        current = _locked(row)
        if current is not None:
            current.cursor = ""
            _move(current, RotationState.REWRAPPING, now=clock())
    return None


def _rewrap(row: Rotation, clock: Clock) -> datetime | None:
    """One pass over the grants from the cursor on; another follows while a pass changes any."""
    _require_version(row)
    changed = 0
    while held := rewrapping.next_batch(row):
        fresh = rewrapping.rewrap(held)
        failpoints.reach("vault.rotation.rewrapped")
        with unit_of_work():
            current = _locked(row)
            if current is None:
                return None
            swapped = rewrapping.swap(fresh, is_custody=row.purpose_id is None)
            changed += swapped
            current.rewrapped += swapped
            current.cursor = held[-1].place
            current.save(update_fields=["rewrapped", "cursor"])
        failpoints.reach("vault.rotation.batch")
        row = current
    return _end_pass(row, changed, clock)


def _end_pass(row: Rotation, changed: int, clock: Clock) -> datetime | None:
    with unit_of_work():
        current = _locked(row)
        if current is None:
            return None
        current.cursor, current.left = "", rewrapping.left(current)
        current.save(update_fields=["cursor", "left"])
        if not current.left:
            current.rewrapped_at = clock()
            _move(current, RotationState.REWRAPPED, now=clock())
            return None
    return clock() + (timedelta(0) if changed else _PAUSE)


def _refuse_old(row: Rotation, clock: Clock) -> datetime | None:
    """Raise the least version once no backup of the database can hold an older wrap."""
    _require_version(row)
    if rewrapping.left(row):
        with unit_of_work():
            current = _locked(row)
            if current is not None:
                _move(current, RotationState.REWRAPPING, now=clock())
        return None
    since = row.rewrapped_at or row.planned_at
    if not are_cleared(since=since + _MARGIN, now=clock()):
        return clock() + _PAUSE
    failpoints.reach("vault.rotation.raising")
    version = row.to_version or row.from_version
    runtime.rotation().raise_minimum(row.wrapping_key, version=version)
    failpoints.reach("vault.rotation.raised")
    with unit_of_work():
        current = _locked(row)
        if current is not None:
            current.done_at = clock()
            _move(current, RotationState.DONE, now=clock())
    return None


def _versions(row: Rotation) -> KeyVersions:
    versions = runtime.rotation().key_versions(row.wrapping_key)
    if versions is None:
        raise WrappingKeyMissing
    return versions


def _require_version(row: Rotation) -> None:
    """Raise KeyLost unless the key store has the very version that this rotation made."""
    version = row.to_version or row.from_version
    lost = LostVersion.objects.filter(wrapping_key=row.wrapping_key, version=version)
    if _versions(row).marks.get(version) != row.mark or lost.exists():
        raise KeyLost(reason="version-absent")


@requires_unit_of_work
def _locked(row: Rotation) -> Rotation | None:
    """The rotation as it is now; None when another run has moved it on meanwhile."""
    gate.require_open()
    rows = Rotation.objects.select_for_update()
    return rows.filter(id=row.id, state=row.state, cursor=row.cursor).first()


@requires_unit_of_work
def _move(row: Rotation, new: RotationState, *, now: datetime) -> None:
    """Write a step's marker; the last thing the step does."""
    require_rotation_move(row.state, new)
    row.state = new
    row.save()
    audit.record(
        action=f"vault.rotation.{new.value}",
        actor=COMMAND,
        controller_id=None,
        now=now,
        details={
            "rotation": str(row.id),
            "version": row.to_version or row.from_version,
            "rewrapped": row.rewrapped,
        },
    )


_STEPS: Final[dict[RotationState, Callable[[Rotation, Clock], datetime | None]]] = {
    RotationState.PLANNED: _rotate,
    RotationState.ROTATED: _await_snapshot,
    RotationState.REWRAPPING: _rewrap,
    RotationState.REWRAPPED: _refuse_old,
}
