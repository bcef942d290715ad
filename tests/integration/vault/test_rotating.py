"""Rotation of a purpose's key and of custody's: its steps, and the rules that hold them back."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from accounts.services import staff
from core import ids
from core.actors import Actor
from core.ids import PublicId
from core.models import AuditEvent
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
from vault.domain.backups import Copy, Kind, Source
from vault.domain.gate import Reason
from vault.errors import RestoreReplayRequired
from vault.models import CustodyGrant, KeyGrant, Rotation
from vault.services import backups as backups_
from vault.services import (
    key_cache,
    rewrapping,
)
from vault.services.rotating import RotationRunning


@pytest.fixture
def site(world: World, tmp_path: Path, settings: Settings) -> Iterator[Site]:
    settings.LETHE_BACKUPS_ATTESTED = rotations.ATTESTED
    settings.LETHE_BACKUPS_CLEARED = rotations.CLEARED
    made = Site(world, tmp_path)
    made.tend()
    with rotations.inventory():
        yield made


def staff_with(site: Site, role: str) -> str:
    """A new member of staff with the role, by e-mail."""
    email = f"{role}@example.com"
    staff.create(
        email=email, password=None, roles=[role], controller_id=None,
        actor=Actor("process:command", "command", None), now=site.world.now,
    )  # fmt: skip
    return email


class TestRotation:
    def test_of_a_purpose_goes_from_step_to_step(self, site: Site) -> None:
        site.person("ada")
        begin(site)

        assert go_on(site) == "rotated"
        assert (versions(), latest(site)) == ({1}, 2)
        back_up(site, "key-store")
        assert go_on(site) == "rewrapped"
        assert versions() == {2}
        assert site.world.custodian.minimum == {}
        clear(site)
        assert go_on(site) == "done"

        assert site.world.custodian.minimum == {name(site): 2}
        assert readable(site) == {b'{"name":"ada"}'}

    def test_of_custody_rewraps_every_persons_own_keys(self, site: Site) -> None:
        ada = site.person("ada")

        rotated(site, custody=True)
        clear(site)

        assert go_on(site) == "done"
        assert versions(CustodyGrant) == {2}
        assert versions() == {1}
        assert own(site, ada) == [b'{"name":"ada"}']
        assert site.world.record(ada, "r2").outcome == "created"

    def test_leaves_other_purposes_alone(self, site: Site) -> None:
        ada = site.person("ada")
        first, site.world.purpose_id = site.world.purpose_id, uuid4()
        site.world.consent(ada)
        other, site.world.purpose_id = site.world.purpose_id, first

        rotated(site)

        of = {
            row.purpose_id: int.from_bytes(bytes(row.wrapped)[:4]) for row in KeyGrant.objects.all()
        }
        assert of == {first: 2, other: 1}

    def test_is_audited_as_process_evidence(self, site: Site) -> None:
        site.person("ada")
        rotated(site)
        clear(site)
        go_on(site)

        events = AuditEvent.objects.filter(action__startswith="vault.rotation").order_by("id")
        steps = [event.action.rpartition(".")[2] for event in events]
        assert steps == ["planned", "rotated", "rewrapping", "rewrapped", "done"]
        assert all(event.trail_id is None for event in events)

    def test_takes_in_batches_what_many_people_granted(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rewrapping, "BATCH", 2)
        people = {f"p{number}" for number in range(5)}
        for person in sorted(people):
            site.person(person)
        site.world.custodian.calls.clear()

        rotated(site)

        assert site.world.custodian.calls.count("rewrap_grants") == 3
        assert Rotation.objects.get().rewrapped == 5
        assert len(readable(site)) == 5

    def test_is_one_at_a_time(self, site: Site) -> None:
        site.person("ada")
        begin(site)

        with pytest.raises(RotationRunning):
            begin(site)

    def test_may_follow_another(self, site: Site) -> None:
        site.person("ada")
        for version in (2, 3):
            rotated(site)
            clear(site)
            assert go_on(site) == "done"
            assert versions() == {version}

        assert readable(site) == {b'{"name":"ada"}'}


class TestRules:
    def test_rewraps_nothing_before_a_snapshot_is_attested(self, site: Site) -> None:
        site.person("ada")
        back_up(site, "key-store")
        begin(site)
        go_on(site)
        site.world.later(days=365)

        assert go_on(site) == "rotated"
        assert versions() == {1}

    def test_refuses_no_old_version_while_a_database_backup_may_hold_its_wraps(
        self, site: Site
    ) -> None:
        site.person("ada")
        clear(site)
        rotated(site)
        back_up(site, "database")
        site.world.later(days=365)

        assert go_on(site) == "rewrapped"
        assert site.world.custodian.minimum == {}

    @pytest.mark.long
    def test_so_a_backup_from_before_it_opens_until_then(self, site: Site) -> None:
        ada = site.person("ada")
        backup = site.dump()
        rotated(site)
        go_on(site)

        restores.put_back(backup)
        key_cache.cache().clear()
        site.tend()

        assert versions() == {1}
        assert readable(site) == {b'{"name":"ada"}'}
        assert own(site, ada) == [b'{"name":"ada"}']

    def test_without_an_inventory_waits_for_ever(self, site: Site, settings: Settings) -> None:
        settings.LETHE_BACKUPS_ATTESTED = "vault.services.rekey_steps.none_attested"
        site.person("ada")
        begin(site)
        go_on(site)
        site.world.later(days=365)

        assert go_on(site) == "rotated"

    def test_does_nothing_while_the_gate_is_closed(self, site: Site) -> None:
        ada = site.person("ada")
        snapshot = site.snapshot()
        begin(site)
        site.erase(ada)
        site.put_back_keys(snapshot)
        assert site.tend() is Reason.KEY_STORE_BEHIND

        with pytest.raises(RestoreReplayRequired):
            begin(site)
        with pytest.raises(RestoreReplayRequired):
            go_on(site)
        assert latest(site) == 1


class TestInventoryCleared:
    """The rule by the inventory of backups itself."""

    def state(self, site: Site, kind: Kind, *copies: Copy) -> None:
        backups_.attest(
            statement=backups_.Statement(
                place=backups_.place(kind, name="vault"), source=Source.LISTING, copies=copies
            ),
            actor=site.world.actor,
            now=site.world.now,
        )

    def cleared(self, site: Site, since: datetime) -> bool:
        return backups_.cleared(store="database", since=since, now=site.world.now)

    def test_says_no_without_statements(self, site: Site) -> None:
        assert not self.cleared(site, site.world.now)

    def test_says_no_while_a_backup_from_before_is_there_and_yes_after_it(self, site: Site) -> None:
        began = site.world.now
        old = Copy(
            label="old", began_at=began, ended_at=began, expires_at=began + timedelta(days=7)
        )
        since = site.world.later(hours=1)
        site.world.later(days=2)
        self.state(site, Kind.DATABASE_BACKUP, old)
        self.state(site, Kind.WAL_ARCHIVE)
        assert not self.cleared(site, since)
        site.world.later(days=6)
        assert not self.cleared(site, since)
        self.state(site, Kind.DATABASE_BACKUP)

        assert self.cleared(site, since)

    def test_says_no_without_a_word_on_the_log_archive(self, site: Site) -> None:
        since = site.world.now
        site.world.later(days=2)
        self.state(site, Kind.DATABASE_BACKUP)

        assert not self.cleared(site, since)


class TestCommand:
    @pytest.fixture
    def custodian(self, site: Site) -> str:
        return staff_with(site, "key-custodian")

    def test_begins_advances_and_says_how_it_stands(
        self, site: Site, custodian: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        site.person("ada")
        purpose = ids.format(PublicId.PURPOSE, site.world.purpose_id)

        call_command("rotate_purpose_key", "--purpose", purpose, "--custodian", custodian)
        assert "awaits a snapshot of the key store" in capsys.readouterr().out
        back_up(site, "key-store")
        call_command("rotate_purpose_key")
        assert "version 2, 1 grants rewrapped" in capsys.readouterr().out
        clear(site)
        call_command("rotate_purpose_key")

        assert "done; older versions are refused" in capsys.readouterr().out
        event = AuditEvent.objects.get(action="vault.rotation.planned")
        assert event.actor_id.startswith("psn_")

    def test_shows_and_does_nothing_when_asked_for_the_status(
        self, site: Site, capsys: pytest.CaptureFixture[str]
    ) -> None:
        site.person("ada")
        begin(site)

        call_command("rotate_purpose_key", "--status")

        assert "planned, not rotated yet" in capsys.readouterr().out
        assert latest(site) == 1

    def test_asks_who_wants_it(self, site: Site) -> None:
        with pytest.raises(CommandError, match="--custodian"):
            call_command("rotate_purpose_key", "--custody")

    def test_takes_no_one_who_is_no_key_custodian(self, site: Site) -> None:
        with pytest.raises(CommandError, match="key-custodian"):
            call_command(
                "rotate_purpose_key", "--custody", "--custodian", staff_with(site, "analyst")
            )

        assert not Rotation.objects.exists()

    def test_refuses_while_the_gate_is_closed(self, site: Site, custodian: str) -> None:
        ada = site.person("ada")
        snapshot = site.snapshot()
        site.erase(ada)
        site.put_back_keys(snapshot)
        site.tend()

        with pytest.raises(CommandError, match="restore-replay-required"):
            call_command("rotate_purpose_key", "--custody", "--custodian", custodian)

    def test_goes_on_with_the_others_when_one_fails(self, site: Site) -> None:
        site.person("ada")
        begin(site)
        begin(site, custody=True)
        Rotation.objects.filter(purpose_id=None).update(from_version=9)

        with pytest.raises(CommandError, match="key-lost"):
            call_command("rotate_purpose_key")

        assert set(Rotation.objects.values_list("state", flat=True)) == {"planned", "rotated"}
