"""Rotation of a purpose's key and of custody's: nothing is lost, and old versions end in time."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from pytest_django import Settings

from core import effects, failpoints
from core.models import AuditEvent
from tests.fakes import backups
from tests.fakes.points import Killed
from tests.fakes.site import Site, killer
from tests.fakes.world import World
from tests.servers import restores
from vault.domain.backups import Copy, Kind, Source
from vault.domain.gate import Reason
from vault.errors import CustodianUnavailable, KeyLost, RestoreReplayRequired
from vault.models import CustodyGrant, KeyGrant, KeyShare, LostVersion, Rotation
from vault.ports import GrantFailure
from vault.services import backups as backups_
from vault.services import (
    key_cache,
    keys,
    losing,
    purpose_keys,
    reading,
    replaying,
    rewrapping,
    rotating,
    rotation_steps,
)
from vault.services.rotating import RotationRunning

#: Times at which the last old database backup is gone, by the inventory of these tests.
cleared: dict[str, datetime] = {}


def clears(*, since: datetime, now: datetime) -> bool:
    """What `settings.LETHE_BACKUPS_CLEARED` names here."""
    return "database" in cleared and since < cleared["database"] <= now


@pytest.fixture
def site(world: World, tmp_path: Path, settings: Settings) -> Iterator[Site]:
    settings.LETHE_BACKUPS_ATTESTED = backups.PATH
    settings.LETHE_BACKUPS_CLEARED = f"{__name__}.clears"
    made = Site(world, tmp_path)
    made.tend()
    yield made
    backups.newest.clear()
    cleared.clear()


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
        return rotation_steps.inventory_cleared(since=since, now=site.world.now)

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


POINTS = [
    "vault.rotation.planned", "vault.rotation.rotating", "vault.rotation.rotated",
    "vault.rotation.rewrapped", "vault.rotation.batch", "vault.rotation.raising",
    "vault.rotation.raised",
]  # fmt: skip


def crash_once(site: Site, point: str, hits: list[str]) -> str:
    """Go on, and die at the point when that was not done before."""
    if hits:
        return go_on(site)
    try:
        with failpoints.installed(killer(point, hits)):
            return go_on(site)
    except Killed:
        return "killed"


class TestCrashes:
    @pytest.mark.parametrize("point", POINTS)
    @pytest.mark.parametrize("model", [KeyGrant, CustodyGrant])
    def test_at_any_point_end_as_if_there_was_none(
        self, site: Site, point: str, model: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rewrapping, "BATCH", 1)
        people = [site.person(person) for person in ("ada", "bo")]
        is_custody = model is CustodyGrant
        hits: list[str] = []
        begin(site, custody=is_custody)

        states = []
        for _ in range(8):
            states.append(crash_once(site, point, hits))
            back_up(site, "key-store")
            clear(site)

        assert (hits, states[-1]) == ([point], "done")
        assert "killed" in states
        rotated_key = "custody" if is_custody else name(site)
        assert latest(site, rotated_key) == 2
        assert versions(model) == {2}
        assert len(readable(site)) == 2
        assert [own(site, one) for one in people] == [[b'{"name":"ada"}'], [b'{"name":"bo"}']]

    def test_of_the_answer_rotates_once(self, site: Site) -> None:
        site.person("ada")
        begin(site)
        site.world.custodian.lost_answers.add("rotate")

        with pytest.raises(CustodianUnavailable):
            go_on(site)

        assert go_on(site) == "rotated"
        assert latest(site) == 2


class TestConcurrency:
    def test_does_not_bring_back_a_grant_that_is_withdrawn_meanwhile(self, site: Site) -> None:
        ada, bo = site.person("ada"), site.person("bo")
        begin(site)
        go_on(site)
        back_up(site, "key-store")

        def withdraw(point: str) -> None:
            if point == "vault.rotation.rewrapped" and KeyGrant.objects.filter(subject_id=ada):
                site.withdraw(ada)

        with failpoints.installed(withdraw):
            assert go_on(site) == "rewrapped"

        assert set(KeyGrant.objects.values_list("subject_id", flat=True)) == {bo}
        assert readable(site) == {b'{"name":"bo"}'}

    def test_rewraps_what_was_wrapped_before_and_stored_behind_it(self, site: Site) -> None:
        """A grant wrapped under the old version is inserted once the pass has gone by."""
        ada = site.person("ada")
        begin(site)
        go_on(site)
        back_up(site, "key-store")
        row = KeyGrant.objects.get(subject_id=ada)
        old = bytes(row.wrapped)
        done: list[str] = []

        def put_back(point: str) -> None:
            if point == "vault.rotation.batch" and not done:
                done.append(point)
                KeyGrant.objects.filter(id=row.id).update(wrapped=old)

        with failpoints.installed(put_back):
            state = go_on(site)
        for _ in range(2):
            state = go_on(site)

        assert (state, versions(), done) == ("rewrapped", {2}, ["vault.rotation.batch"])

    def test_overwrites_no_grant_that_was_made_anew_meanwhile(self, site: Site) -> None:
        ada = site.person("ada")
        begin(site)
        go_on(site)
        back_up(site, "key-store")
        fresh: dict[str, bytes] = {}

        def renew(point: str) -> None:
            if point == "vault.rotation.rewrapped" and not fresh:
                site.world.consent(ada)
                fresh["wrapped"] = bytes(KeyGrant.objects.get().wrapped)

        with failpoints.installed(renew):
            go_on(site)

        assert bytes(KeyGrant.objects.get().wrapped) == fresh["wrapped"]
        assert readable(site) == {b'{"name":"ada"}'}

    def test_passes_over_what_somebody_else_holds_and_comes_back(self, site: Site) -> None:
        ada = site.person("ada")
        begin(site)
        go_on(site)
        back_up(site, "key-store")
        other = connection.copy()
        try:
            other.set_autocommit(False)
            with other.cursor() as cursor:
                cursor.execute("SELECT 1 FROM vault_keygrant FOR UPDATE")
            assert go_on(site) == "rewrapping"
            assert Rotation.objects.get().left == 1
        finally:
            other.rollback()
            other.close()

        assert go_on(site) == "rewrapped"
        assert own(site, ada) == [b'{"name":"ada"}']


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

    def test_rotates_once_more_when_no_grant_needs_it(self, site: Site) -> None:
        self.lose(site)
        effects.sweep(queue="default", now=site.world.now)
        losing.find(now=site.world.now)
        assert Rotation.objects.get().state == "planned"

        assert go_on(site) == "rotated"
        back_up(site, "key-store")
        assert go_on(site) == "rewrapped"
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
