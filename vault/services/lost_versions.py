"""Versions of wrapping keys that grants are under and the key store does not have, or not any more.

A store put back to before a rotation lacks the new version; one whose least version was raised
refuses what an older database brings back. What such a version wrapped answers `key-lost`. A
purpose's grants are then wrapped anew through custody by `regranting`; custody's own are lost until
the store is right.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from core import audit, effects, metrics, statements
from core.actors import process_actor
from core.logging import get_logger
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.states import RotationState, require_rotation_move
from vault.models import LostVersion, Rotation
from vault.ports import MOST_VERSIONS, KeyVersions
from vault.services.keys import CUSTODY

logger = get_logger(__name__)
ERASER = process_actor("eraser")
_IN_USE: Final = """
SELECT k.name, substring(g.wrapped, 1, 4), count(*) FROM vault_keygrant g
JOIN vault_purposekey k ON k.purpose_id = g.purpose_id GROUP BY 1, 2
UNION ALL
SELECT 'custody', substring(g.wrapped, 1, 4), count(*) FROM vault_custodygrant g GROUP BY 2"""


@no_open_transaction
def find(*, now: datetime) -> int:
    """Note which versions in use are lost and which are there again; how many are lost now.

    Needs the right to read the versions of keys, not the keys. Raises CustodianUnavailable.
    """
    # Of a number that was rotated to twice, the later version is the one that grants are under.
    rotated = Rotation.objects.exclude(to_version=None).order_by("rotated_at")
    marks = {(row.wrapping_key, row.to_version): row.mark for row in rotated}
    in_use = _in_use()
    named = set(in_use) | set(LostVersion.objects.values_list("wrapping_key", flat=True))
    named |= {name for name, _ in marks}
    for name in sorted(named):
        versions = runtime.rotation().key_versions(name)
        lost = {
            version: count
            for version, count in in_use.get(name, {}).items()
            if not _holds(versions, version, marks.get((name, version)))
        }
        with unit_of_work():
            _note(name, lost, versions, now=now)
            if not lost:  # another version of a lost one's number would hide that it is lost
                _begin_again(name, versions, now=now)
    return LostVersion.objects.count()


def _in_use() -> dict[str, dict[int, int]]:
    """How many grants are under each version of each wrapping key; forged numbers left out."""
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for name, version, count in statements.fetch(_IN_USE, []):
        number = int.from_bytes(version)
        if 0 < number <= MOST_VERSIONS:
            found[name][number] = count
    return found


def _holds(versions: KeyVersions | None, version: int, mark: str | None) -> bool:
    if versions is None or not _is_there(versions, version):
        return False
    return mark is None or versions.marks.get(version) == mark


def _is_there(versions: KeyVersions, version: int) -> bool:
    return versions.minimum <= version <= versions.latest


@requires_unit_of_work
def _note(
    name: str, lost: Mapping[int, int], versions: KeyVersions | None, *, now: datetime
) -> None:
    known = LostVersion.objects.filter(wrapping_key=name)
    again = list(known.exclude(version__in=lost).values_list("version", flat=True))
    known.filter(version__in=again).delete()
    for version, count in sorted(lost.items()):
        row, is_new = LostVersion.objects.update_or_create(
            wrapping_key=name,
            version=version,
            defaults={"grants": count},
            create_defaults={"grants": count, "found_at": now},
        )
        if is_new:
            metrics.integrity_violated(code="key-lost")
            logger.critical("wrapping_key.version_lost", code="key-lost", count=count)
            _record("vault.key-version.lost", version, count, now=now)
        # One of the same number may be another version: then nothing tells their grants apart.
        if name != CUSTODY and versions is not None and not _is_there(versions, version):
            effects.enqueue(
                kind="vault.regrant",
                key=f"{name}:{version}:{row.found_at.isoformat()}",
                payload={"wrapping_key": name, "version": version},
                now=now,
            )
    for version in again:
        _record("vault.key-version.found", version, 0, now=now)


@requires_unit_of_work
def _begin_again(name: str, versions: KeyVersions | None, *, now: datetime) -> None:
    """A rotation whose new version is gone, and no grant needs it, rotates once more."""
    rows = Rotation.objects.select_for_update().filter(wrapping_key=name, to_version__isnull=False)
    row = rows.exclude(state=RotationState.DONE).first()
    if row is None or versions is None or row.to_version is None:
        return
    if _holds(versions, row.to_version, row.mark):
        return
    require_rotation_move(row.state, RotationState.PLANNED)
    row.state, row.from_version, row.to_version = RotationState.PLANNED, versions.latest, None
    row.mark, row.cursor, row.left = "", "", 0
    row.save()
    _record("vault.rotation.planned", versions.latest, 0, now=now)


def of_key(wrapping_key: str) -> list[int]:
    """Which versions of the key are lost."""
    rows = LostVersion.objects.filter(wrapping_key=wrapping_key)
    return sorted(rows.values_list("version", flat=True))


@requires_unit_of_work
def _record(action: str, version: int, count: int, *, now: datetime) -> None:
    audit.record(
        action=action,
        actor=ERASER,
        controller_id=None,
        now=now,
        details={"version": version, "grants": count},
    )
