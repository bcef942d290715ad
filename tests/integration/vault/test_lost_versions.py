"""Rotations and restores: shares and versions that the key store has lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pytest_django import Settings

from core import effects
from tests.fakes import rotations
from tests.fakes.rotations import (
    back_up,
    begin,
    clear,
    go_on,
    latest,
    name,
    own,
    readable,
    rotated,
    versions,
)
from tests.fakes.site import Site
from tests.fakes.world import World
from tests.servers import restores
from vault.domain.gate import Reason
from vault.errors import KeyLost
from vault.models import KeyGrant, KeyShare, LostVersion, Rotation
from vault.ports import GrantFailure
from vault.services import (
    key_cache,
    keys,
    losing,
    replaying,
)


@pytest.fixture
def site(world: World, tmp_path: Path, settings: Settings) -> Iterator[Site]:
    settings.LETHE_BACKUPS_ATTESTED = rotations.ATTESTED
    settings.LETHE_BACKUPS_CLEARED = rotations.CLEARED
    made = Site(world, tmp_path)
    made.tend()
    with rotations.inventory():
        yield made


class TestLostShares:
    def test_hold_the_old_version_until_they_are_back_or_erased(self, site: Site) -> None:
        ada = site.person("ada")
        older = site.snapshot()
        bo = site.person("bo")
        newer = dict(site.world.custodian.shares)
        begin(site)
        go_on(site)
        back_up(site, "key-store")
        site.world.custodian.shares = {**older[0]}
        losing.find(now=site.world.now, accepted_by=site.world.actor)

        assert go_on(site) == "rewrapping"
        assert (Rotation.objects.get().left, versions()) == (1, {1, 2})
        site.world.custodian.shares = newer
        losing.find(now=site.world.now)
        assert go_on(site) == "rewrapped"

        assert own(site, bo) == [b'{"name":"bo"}']
        assert readable(site) == {b'{"name":"ada"}', b'{"name":"bo"}'}
        assert KeyShare.objects.get(subject=ada).state == "live"


class TestLostVersion:
    """A snapshot from before the rotation is put back."""

    def lose(self, site: Site, *, custody: bool = False) -> tuple[UUID, Any]:
        ada = site.person("ada")
        older = site.snapshot()
        rotated(site, custody=custody)
        newer = site.snapshot()
        site.put_back_keys(older)
        key_cache.cache().clear()
        assert losing.find(now=site.world.now).versions == 1
        return ada, newer

    def test_of_a_purpose_says_lost_and_is_mended_through_custody(self, site: Site) -> None:
        ada, _ = self.lose(site)
        assert LostVersion.objects.get().version == 2
        with pytest.raises(KeyLost):
            site.readable()
        assert own(site, ada) == [b'{"name":"ada"}']

        effects.sweep(queue="default", now=site.world.now)

        assert (versions(), LostVersion.objects.count()) == ({1}, 0)
        assert readable(site) == {b'{"name":"ada"}'}

    def test_stops_the_rotation_and_bars_another(self, site: Site) -> None:
        self.lose(site)
        Rotation.objects.update(state="done")

        with pytest.raises(KeyLost):
            begin(site)
        Rotation.objects.update(state="rewrapped")
        with pytest.raises(KeyLost):
            go_on(site)
        assert latest(site) == 1

    def test_stops_the_rotation_before_anybody_looked_for_it(self, site: Site) -> None:
        site.person("ada")
        older = site.snapshot()
        rotated(site)
        site.put_back_keys(older)
        clear(site)

        with pytest.raises(KeyLost):
            go_on(site)
        assert site.world.custodian.minimum == {}

    def test_rotates_once_more_when_no_grant_needs_it(self, site: Site) -> None:
        self.lose(site)
        effects.sweep(queue="default", now=site.world.now)
        losing.find(now=site.world.now)
        assert Rotation.objects.get().state == "planned"

        assert go_on(site) == "rotated"
        back_up(site, "key-store")
        assert go_on(site) == "rewrapped"
        assert (versions(), readable(site)) == ({2}, {b'{"name":"ada"}'})

    def test_does_not_give_its_number_to_another(self, site: Site) -> None:
        """The store is put back to before two rotations, of which the second has just begun."""
        ada = site.person("ada")
        older = site.snapshot()
        rotated(site, custody=True)
        clear(site)
        assert go_on(site) == "done"
        begin(site, custody=True)
        assert go_on(site) == "rotated"
        newer = site.snapshot()
        site.put_back_keys(older)
        key_cache.cache().clear()
        losing.find(now=site.world.now)

        with pytest.raises(KeyLost):
            go_on(site)
        assert latest(site, keys.CUSTODY) == 1
        with pytest.raises(KeyLost):
            own(site, ada)

        site.put_back_keys(newer)
        losing.find(now=site.world.now)
        assert own(site, ada) == [b'{"name":"ada"}']

    def test_is_known_by_its_latest_mark_when_its_number_was_used_twice(self, site: Site) -> None:
        self.lose(site)
        Rotation.objects.update(state="done")
        effects.sweep(queue="default", now=site.world.now)
        losing.find(now=site.world.now)
        site.world.later(minutes=2)
        rotated(site)
        Rotation.objects.filter(state="done").update(planned_at=site.world.now)  # the oldest last

        assert losing.find(now=site.world.now).versions == 0
        assert (versions(), readable(site)) == ({2}, {b'{"name":"ada"}'})

    def test_ends_with_the_right_snapshot(self, site: Site) -> None:
        ada, newer = self.lose(site, custody=True)
        with pytest.raises(KeyLost):
            own(site, ada)

        site.put_back_keys(newer)
        assert losing.find(now=site.world.now).versions == 0

        assert own(site, ada) == [b'{"name":"ada"}']
        clear(site)
        assert go_on(site) == "done"

    def test_does_not_bring_back_what_was_withdrawn(self, site: Site) -> None:
        ada, _ = self.lose(site)
        site.withdraw(ada)

        effects.sweep(queue="default", now=site.world.now)

        assert not KeyGrant.objects.exists()
        assert readable(site) == set()

    def test_of_the_same_number_is_told_from_the_one_that_was(self, site: Site) -> None:
        """Somebody rotates by hand after the restore: another version 2; grants of the first."""
        self.lose(site)
        site.world.custodian.rotate(name(site))

        assert losing.find(now=site.world.now).versions == 1
        with pytest.raises(KeyLost):
            go_on(site)

    def test_is_noted_by_a_replay_and_mended_when_the_gate_is_open(self, site: Site) -> None:
        site.person("ada")
        bo = site.person("bo")
        older = site.snapshot()
        rotated(site)
        site.erase(bo)
        site.put_back_keys(older)
        key_cache.cache().clear()
        assert site.tend() is Reason.KEY_STORE_BEHIND

        replay = replaying.apply(now=site.world.now)
        site.tend()
        replaying.verify(now=site.world.now)
        assert site.tend() is Reason.IN_STEP
        effects.sweep(queue="default", now=site.world.now)

        assert replay.counts["versions"] == 1
        assert readable(site) == {b'{"name":"ada"}'}

    @pytest.mark.long
    def test_of_a_barred_backup_is_found_and_mended(self, site: Site) -> None:
        """Against the rule: a database backup from before is put back after the minimum rose."""
        ada = site.person("ada")
        backup = site.dump()
        rotated(site)
        clear(site)
        assert go_on(site) == "done"

        restores.put_back(backup)
        key_cache.cache().clear()
        site.tend()
        with pytest.raises(KeyLost):
            site.readable()
        assert losing.find(now=site.world.now).versions == 1
        effects.sweep(queue="default", now=site.world.now)

        assert (versions(), readable(site)) == ({2}, {b'{"name":"ada"}'})
        assert own(site, ada) == [b'{"name":"ada"}']


class TestForgedVersion:
    def test_is_not_called_lost(self, site: Site) -> None:
        site.person("ada")
        row = KeyGrant.objects.get()
        KeyGrant.objects.update(wrapped=b"\xff\xff\xff\xff" + bytes(row.wrapped)[4:])

        assert losing.find(now=site.world.now).versions == 0


class TestKeys:
    def test_of_a_lost_version_are_key_lost(self) -> None:
        assert keys.failure(GrantFailure.VERSION_ABSENT).code == "key-lost"
