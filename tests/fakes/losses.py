"""A key store put back to before somebody was made, in short verbs."""

from typing import Any
from uuid import UUID

from tests.fakes.site import Site
from vault.models import KeyShare
from vault.services import key_cache, losing, reading


def put_back(site: Site, snapshot: Any) -> None:
    site.put_back_keys(snapshot)
    key_cache.cache().clear()


def find(site: Site) -> losing.Found:
    return losing.find(now=site.world.now, accepted_by=site.world.actor)


def state_of(subject_id: UUID) -> str:
    return KeyShare.objects.get(subject=subject_id).state


def read(site: Site, subject_id: UUID) -> list[bytes]:
    rows = reading.custody_read(controller_id=site.world.controller_id, subject_id=subject_id)
    return [row.document for row in rows]


def lose_bo(site: Site) -> tuple[UUID, UUID, Any]:
    """Ada, a snapshot, Bo; then the snapshot is put back. Also the snapshot that has both."""
    ada = site.person("ada")
    older = site.snapshot()
    bo = site.person("bo")
    newer = site.snapshot()
    put_back(site, older)
    find(site)
    return ada, bo, newer
