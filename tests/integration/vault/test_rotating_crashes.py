"""Rotations broken off anywhere, and amid others who write."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from core import failpoints
from tests.fakes import rotations
from tests.fakes.points import Killed
from tests.fakes.rotations import (
    back_up,
    begin,
    clear,
    go_on,
    latest,
    name,
    own,
    readable,
    versions,
)
from tests.fakes.site import Site, killer
from tests.fakes.world import World
from vault.errors import CustodianUnavailable
from vault.models import CustodyGrant, KeyGrant, Rotation
from vault.services import (
    rewrapping,
)


@pytest.fixture
def site(world: World, tmp_path: Path, settings: Settings) -> Iterator[Site]:
    settings.LETHE_BACKUPS_ATTESTED = rotations.ATTESTED
    settings.LETHE_BACKUPS_CLEARED = rotations.CLEARED
    made = Site(world, tmp_path)
    made.tend()
    with rotations.inventory():
        yield made


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

    def test_overwrites_no_wrap_that_another_run_put_in_place_meanwhile(self, site: Site) -> None:
        site.person("ada")
        begin(site)
        go_on(site)
        back_up(site, "key-store")
        other: list[bytes] = []

        def rewrap_too(point: str) -> None:
            if point == "vault.rotation.rewrapped" and not other:
                held = rewrapping.next_batch(Rotation.objects.get())
                other.extend(fresh.new for fresh in rewrapping.rewrap(held))
                KeyGrant.objects.update(wrapped=other[0])

        with failpoints.installed(rewrap_too):
            go_on(site)

        assert [bytes(row.wrapped) for row in KeyGrant.objects.all()] == other

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
