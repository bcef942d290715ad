"""A key store put back to before some people were made: LOST is said, and ends when it may."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from accounts.models import Controller
from accounts.services import staff
from core import failpoints, ids
from core.actors import process_actor
from core.ids import PublicId
from core.models import AuditEvent
from tests.fakes.losses import find, lose_bo, put_back, read, state_of
from tests.fakes.points import Killed
from tests.fakes.site import Site, killer
from vault.domain.gate import Reason
from vault.errors import KeyLost
from vault.models import (
    KeyShare,
)
from vault.services import (
    losing,
    replaying,
)
from vault.services.losing import LossNotAccepted


class TestFind:
    def test_marks_what_is_missing_and_leaves_the_others_readable(self, site: Site) -> None:
        ada, bo, _ = lose_bo(site)

        assert (state_of(ada), state_of(bo)) == ("live", "lost")
        assert read(site, ada) == [b'{"name":"ada"}']
        assert site.readable() == {b'{"name":"ada"}'}
        with pytest.raises(KeyLost):
            read(site, bo)

    def test_brings_back_what_is_there_again(self, site: Site) -> None:
        _, bo, newer = lose_bo(site)

        put_back(site, newer)
        found = find(site)

        assert (found.lost, found.again, found.standing) == (0, 1, 0)
        assert state_of(bo) == "live"
        assert KeyShare.objects.get(subject=bo).lost_at is None
        assert site.readable() == {b'{"name":"ada"}', b'{"name":"bo"}'}

    def test_says_nothing_when_nothing_is_missing(self, site: Site) -> None:
        site.person("ada")

        assert losing.find(now=site.world.now) == losing.Found(1, 0, 0, 0)
        assert not AuditEvent.objects.filter(action__startswith="vault.share").exists()

    def test_changes_nothing_the_second_time(self, site: Site) -> None:
        _, bo, _ = lose_bo(site)
        since = KeyShare.objects.get(subject=bo).lost_at
        site.world.later(hours=1)

        found = losing.find(now=site.world.now)

        assert (found.lost, found.again, found.standing) == (0, 0, 1)
        assert KeyShare.objects.get(subject=bo).lost_at == since

    def test_is_audited_without_naming_anybody(self, site: Site) -> None:
        _, bo, newer = lose_bo(site)
        put_back(site, newer)
        find(site)

        events = AuditEvent.objects.filter(action__startswith="vault.share").order_by("id")
        assert [event.action for event in events] == [
            "vault.share.loss-accepted", "vault.share.lost", "vault.share.found",
        ]  # fmt: skip
        assert all(event.trail_id is None and event.r is not None for event in events)
        assert str(bo) not in str([event.details for event in events])

    def test_does_not_take_a_share_that_is_made_meanwhile_for_lost(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Listed before it was there: its row was not among those compared."""
        site.person("ada")
        inventory = site.world.custodian.kids
        fresh: list[UUID] = []

        def kids(**which: Any) -> object:
            listed = inventory(**which)
            if not fresh:
                fresh.append(site.world.subject("bo"))
            return listed

        monkeypatch.setattr(site.world.custodian, "kids", kids)
        found = losing.find(now=site.world.now)

        assert found.lost == 0
        assert state_of(fresh[0]) == "live"

    def test_does_not_believe_a_listing_that_leaves_shares_out(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ada = site.person("ada")
        monkeypatch.setattr(site.world.custodian, "kids", lambda **_: [])

        assert find(site).lost == 0
        assert state_of(ada) == "live"

    def test_goes_on_where_it_was_interrupted(self, site: Site) -> None:
        older = site.snapshot()
        people = [site.person(name) for name in ("ada", "bo", "cy", "dee")]
        put_back(site, older)
        hits: list[str] = []

        with failpoints.installed(killer("vault.losing.marked", hits)), pytest.raises(Killed):
            find(site)
        find(site)

        assert hits == ["vault.losing.marked"]
        assert {state_of(person) for person in people} == {"lost"}


class TestCredibility:
    def test_refuses_a_store_that_lists_nothing(self, site: Site) -> None:
        ada = site.person("ada")
        put_back(site, ({}, None))

        with pytest.raises(LossNotAccepted) as refused:
            losing.find(now=site.world.now)

        assert dict(refused.value.context) == {"missing": 1, "of": 1}
        assert state_of(ada) == "live"

    def test_refuses_an_empty_listing_whatever_the_share(
        self, site: Site, settings: Settings
    ) -> None:
        settings.LETHE_LOSS_PERCENT = 100
        site.person("ada")
        put_back(site, ({}, None))

        with pytest.raises(LossNotAccepted):
            losing.find(now=site.world.now)

    def test_refuses_more_than_the_share_that_settings_allow(
        self, site: Site, settings: Settings
    ) -> None:
        for name in ("ada", "bo", "cy"):
            site.person(name)
        older = site.snapshot()
        dee = site.person("dee")
        put_back(site, older)

        settings.LETHE_LOSS_PERCENT = 24
        with pytest.raises(LossNotAccepted):
            losing.find(now=site.world.now)
        assert state_of(dee) == "live"
        settings.LETHE_LOSS_PERCENT = 25

        assert losing.find(now=site.world.now).lost == 1

    def test_keeps_the_gate_closed_until_somebody_answers(self, site: Site) -> None:
        ada = site.person("ada")
        snapshot = site.snapshot()
        bo = site.person("bo")
        site.erase(ada)
        put_back(site, snapshot)
        assert site.tend() is Reason.KEY_STORE_BEHIND

        with pytest.raises(LossNotAccepted):
            replaying.apply(now=site.world.now)
        assert site.tend() is Reason.KEY_STORE_BEHIND
        assert state_of(bo) == "live"
        replay = site.replay()

        assert (replay.counts["lost"], replay.counts["found"]) == (1, 0)
        assert state_of(bo) == "lost"
        assert site.world.custodian.shares == dict.fromkeys(snapshot[0])


class TestStanding:
    def test_names_the_people_and_their_groups(self, site: Site) -> None:
        ada, bo, _ = lose_bo(site)

        (loss,) = losing.standing(controller_id=site.world.controller_id)

        assert (loss.subject_id, loss.group) == (bo, "main")
        assert losing.standing(controller_id=uuid4()) == []
        assert ada != bo


class TestCommand:
    def test_compares_although_there_is_nothing_to_replay(
        self, site: Site, settings: Settings, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings.LETHE_PROCESS = "eraser"
        settings.LETHE_LOSS_PERCENT = 50
        site.person("ada")
        older = site.snapshot()
        site.person("bo")
        put_back(site, older)

        call_command("replay_journal")

        said = capsys.readouterr().out
        assert "nothing to replay" in said
        assert "LOST: the key store lacks 1 key shares" in said

    def test_refuses_a_great_loss_and_says_what_to_do(self, site: Site, settings: Settings) -> None:
        settings.LETHE_PROCESS = "eraser"
        site.person("ada")
        put_back(site, ({}, None))

        with pytest.raises(CommandError, match=r"Missing: 1 of 1.*--accept-loss --operator"):
            call_command("replay_journal")

    def test_accepts_no_loss_of_nobody(self, site: Site, settings: Settings) -> None:
        settings.LETHE_PROCESS = "eraser"

        with pytest.raises(CommandError, match="go together"):
            call_command("replay_journal", "--accept-loss")

    def test_accepts_the_loss_of_a_named_operator(
        self, site: Site, settings: Settings, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings.LETHE_PROCESS = "eraser"
        staff.create(
            email="una@clinic.example", password=None, roles=["operator"], controller_id=None,
            actor=process_actor("command"), now=site.world.now,
        )  # fmt: skip
        site.person("ada")
        put_back(site, ({}, None))

        call_command("replay_journal", "--accept-loss", "--operator", "una@clinic.example")

        assert "LOST: the key store lacks 1 key shares" in capsys.readouterr().out
        event = AuditEvent.objects.get(action="vault.share.loss-accepted")
        assert event.actor_id.startswith("psn_")


class TestListOfTheLost:
    @pytest.fixture(autouse=True)
    def clinic(self, site: Site) -> None:
        Controller.objects.create(
            id=site.world.controller_id, slug="clinic", name="C", country="DE", timezone="UTC"
        )

    def test_names_people_by_their_public_ids(
        self, site: Site, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ada, bo, _ = lose_bo(site)

        call_command("lost_keys", "--controller", "clinic")

        said = capsys.readouterr().out
        assert "clinic: 1 key groups of people are lost" in said
        assert ids.format(PublicId.SUBJECT, bo) in said
        assert ids.format(PublicId.SUBJECT, ada) not in said

    def test_refuses_a_controller_that_is_not_there(self) -> None:
        with pytest.raises(CommandError, match="no controller"):
            call_command("lost_keys", "--controller", "nobody")
