"""A rotation on a real Vault, every call with the credential of its process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.fakes import rotations
from tests.fakes.rotations import back_up, begin, clear, go_on, name, own, readable, versions
from tests.fakes.site import Site
from tests.fakes.world import world as make_world
from tests.servers.roles import EveryProcess
from tests.servers.vaultd import VaultServer
from vault.errors import KeyLost
from vault.models import CustodyGrant, KeyGrant
from vault.ports import KeyVersions
from vault.services import losing

pytestmark = pytest.mark.vault


@pytest.fixture
def site(
    transactional_db: None, tmp_path: Path, vault_server: VaultServer, settings: Settings
) -> Iterator[Site]:
    settings.LETHE_BACKUPS_ATTESTED = rotations.ATTESTED
    settings.LETHE_BACKUPS_CLEARED = rotations.CLEARED
    with make_world(tmp_path, EveryProcess(vault_server)) as world, rotations.inventory():
        made = Site(world, tmp_path)
        made.tend()
        yield made


@pytest.fixture
def store(vault_server: VaultServer) -> EveryProcess:
    return EveryProcess(vault_server)


def known(store: EveryProcess, key: str) -> KeyVersions:
    found = store.key_versions(key)
    assert found is not None
    return found


class TestRotation:
    @pytest.mark.parametrize("model", [KeyGrant, CustodyGrant])
    def test_ends_with_the_old_version_refused_and_nothing_lost(
        self, site: Site, store: EveryProcess, model: type[KeyGrant | CustodyGrant]
    ) -> None:
        people = [site.person(f"p{number}") for number in range(5)]
        is_custody = model is CustodyGrant
        key = "custody" if is_custody else name(site)
        before = known(store, key).latest
        of_data = model.objects.filter(data_key__category_id=site.world.category.category_id)
        row = of_data[0]
        old = bytes(row.wrapped)

        begin(site, custody=is_custody)
        assert go_on(site) == "rotated"
        assert versions(model) == {before}
        back_up(site, "key-store")
        assert go_on(site) == "rewrapped"
        clear(site)
        assert go_on(site) == "done"

        assert versions(model) == {before + 1} == {known(store, key).minimum}
        assert len(readable(site)) == len(people)
        assert own(site, people[0]) == [b'{"name":"p0"}']
        # What an older database would bring back is found, and told from what is erased.
        row.wrapped = old
        row.save(update_fields=["wrapped"])
        assert losing.find(now=site.world.now, accepted_by=site.world.actor).versions == 1
        with pytest.raises(KeyLost):
            own(site, row.subject_id) if is_custody else readable(site)
