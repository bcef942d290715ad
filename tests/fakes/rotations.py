"""Rotations in short verbs, and an inventory of backups that tests write."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from tests.fakes import backups
from tests.fakes.site import Site
from vault.models import KeyGrant, Rotation
from vault.services import key_cache, purpose_keys, reading, rotating, rotation_steps

#: Times at which the last old database backup is gone, by the inventory of these tests.
cleared: dict[str, datetime] = {}


def clears(*, store: str, since: datetime, now: datetime) -> bool:
    """What `settings.LETHE_BACKUPS_CLEARED` names in tests."""
    return store in cleared and since < cleared[store] <= now


def begin(site: Site, *, custody: bool = False) -> Rotation:
    return rotating.begin(
        purpose_id=None if custody else site.world.purpose_id,
        actor=site.world.actor,
        now=site.world.now,
    )


def go_on(site: Site) -> str:
    """Advance the one rotation; the state it is in then."""
    row = Rotation.objects.order_by("-planned_at")[0]
    rotation_steps.advance(rotation_id=row.id, clock=lambda: site.world.now)
    return Rotation.objects.get(id=row.id).state


def back_up(site: Site, store: str) -> None:
    site.world.later(minutes=2)
    backups.newest[store] = site.world.now


def clear(site: Site) -> None:
    site.world.later(minutes=2)
    cleared["database"] = site.world.now


def rotated(site: Site, *, custody: bool = False) -> None:
    """To REWRAPPED, with a snapshot of the key store that holds the new version."""
    begin(site, custody=custody)
    go_on(site)
    back_up(site, "key-store")
    assert go_on(site) == "rewrapped"


def versions(model: Any = KeyGrant) -> set[int]:
    return {int.from_bytes(bytes(row.wrapped)[:4]) for row in model.objects.all()}


def readable(site: Site) -> set[bytes]:
    key_cache.cache().clear()
    return site.readable()


def own(site: Site, subject_id: UUID) -> list[bytes]:
    key_cache.cache().clear()
    rows = reading.custody_read(controller_id=site.world.controller_id, subject_id=subject_id)
    return [row.document for row in rows]


def latest(site: Site, key: str | None = None) -> int:
    found = site.world.custodian.key_versions(key or name(site))
    assert found is not None
    return found.latest


def name(site: Site) -> str:
    return purpose_keys.wrapping_key(site.world.purpose_id)


#: What the two settings name.
ATTESTED, CLEARED = backups.PATH, f"{__name__}.clears"


@contextmanager
def inventory() -> Iterator[None]:
    """An empty one, for the length of the block."""
    backups.newest.clear()
    cleared.clear()
    yield
    backups.newest.clear()
    cleared.clear()
