"""A re-key on a real Vault, every call with the credential of its process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from core import effects
from core.unit_of_work import unit_of_work
from tests.fakes import backups
from tests.fakes.rekeys import Office
from tests.fakes.rekeys import office as make_office
from tests.fakes.world import World
from tests.fakes.world import world as make_world
from tests.servers.roles import EveryProcess
from tests.servers.vaultd import VaultServer
from vault.models import DestructionAttestation, KeyShare, Rekey
from vault.ports import ShareState
from vault.services import expiring, key_cache, keys, reading
from vault.services.grants import CategoryRef

pytestmark = pytest.mark.vault


@pytest.fixture
def store(vault_server: VaultServer) -> EveryProcess:
    return EveryProcess(vault_server)


@pytest.fixture
def office(
    transactional_db: None, tmp_path: Path, store: EveryProcess, settings: Settings
) -> Iterator[Office]:
    settings.LETHE_BACKUPS_ATTESTED = backups.PATH
    with make_world(tmp_path, store) as world, make_office(world) as made:
        yield made


def finish(world: World) -> None:
    for _ in range(4):
        for name in ("key-store", "database"):
            world.later(minutes=2)
            backups.newest[name] = world.now
        world.later(minutes=10)
        for queue in ("default", "shred", "attest"):
            effects.sweep(queue=queue, now=world.now)


def states(store: EveryProcess, **which: object) -> set[ShareState]:
    refs = [keys.share_ref(share) for share in KeyShare.objects.filter(**which)]
    return {reading_.state for reading_ in store.read_destruction(refs)}


class TestRekey:
    def test_leaves_one_live_share_and_everything_that_was_kept(
        self, office: Office, store: EveryProcess
    ) -> None:
        office.erase()
        finish(office.world)
        key_cache.cache().clear()

        assert Rekey.objects.get().state == "done"
        assert states(store, state="live") == {ShareState.LIVE}
        assert states(store, state="destroyed") == {ShareState.DESTROYED}
        assert office.documents() == {b'{"n":4}'}
        assert office.versions(office.kept) == [b'{"n":3}', b'{"n":4}']
        assert DestructionAttestation.objects.get().body["shares"][0]["state"] == "destroyed"


class TestExpiry:
    def test_destroys_the_groups_share_alone(self, office: Office, store: EveryProcess) -> None:
        world, main = office.world, office.world.category
        world.category = CategoryRef(office.subject, "logs")
        world.record(office.subject, "l1", b'{"log":1}')
        world.category = main
        with unit_of_work():
            expiring.expire(
                controller_id=world.controller_id,
                subject_id=office.subject,
                group="logs",
                actor=world.actor,
                open_leases=0,
                now=world.now,
            )
        finish(world)
        key_cache.cache().clear()

        assert states(store, group="logs") == {ShareState.DESTROYED}
        assert states(store, group="main") == {ShareState.LIVE}
        read = reading.custody_read(controller_id=world.controller_id, subject_id=office.subject)
        assert {row.document for row in read} == {b'{"n":2}', b'{"n":4}'}
