"""Rounds of the log's process, and databases that were put back: no second history is signed."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from contracts.domain.history import History
from contracts.errors import HistoryBroken, NothingToFound
from contracts.models import LogBatch, LogCheckpoint, LogFounding
from contracts.services import checking, founding, keeping, sequencing
from core import failpoints, runtime
from core.actors import Actor
from core.models import AuditEvent, LeafInbox
from core.ports import LogHead
from tests.fakes.custodian import FakeSigner
from tests.fakes.heads import FakeHeadKeeper
from tests.fakes.points import Killed
from tests.fakes.site import killer
from tests.servers import restores
from vault.errors import CustodianUnavailable

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
OPERATOR = Actor("psn_01h455vb4pex5vsknk084sn02q", "operator", None)
POINTS = [
    "contracts.log.sealing", "contracts.log.sealed", "contracts.log.keeping", "contracts.log.kept",
    "contracts.log.signed", "contracts.log.published",
]  # fmt: skip


@dataclass
class House:
    """The process, what it keeps, and every checkpoint that anybody ever saw."""

    keeper: FakeHeadKeeper
    seen: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def round(self) -> LogBatch | None:
        batch = sequencing.run_round(now=NOON)
        self.look()
        return batch

    def look(self) -> None:
        """No two heads of one name and size ever differ."""
        for row in LogCheckpoint.objects.select_related("batch"):
            root = bytes(row.batch.root)
            assert self.seen.setdefault((row.origin, row.batch.size), root) == root

    def put(self) -> bytes:
        leaf = os.urandom(32)
        LeafInbox.objects.create(leaf=leaf)
        return leaf


@pytest.fixture
def house() -> Iterator[House]:
    keeper = FakeHeadKeeper()
    with runtime.override(signer=FakeSigner("loggerd"), head_keeper=keeper):
        yield House(keeper)


class TestRunRound:
    def test_publishes_a_batch_also_when_nothing_waits(self, house: House) -> None:
        for number in range(3):
            batch = house.round()

            assert batch is not None
            assert batch.size == 64 * (number + 1)
            assert house.keeper.head == keeping.newest()
        assert LogCheckpoint.objects.count() == 3
        assert list(checking.faults()) == []

    @pytest.mark.parametrize("point", POINTS)
    def test_that_broke_off_is_made_good_by_the_next(self, house: House, point: str) -> None:
        house.round()
        leaf, hits = house.put(), []  # type: tuple[bytes, list[str]]
        with failpoints.installed(killer(point, hits)), pytest.raises(Killed):
            house.round()
        assert hits

        house.round()

        assert list(checking.faults()) == []
        assert LogBatch.objects.filter(logcheckpoint=None).count() == 0
        assert leaf not in map(bytes, LeafInbox.objects.values_list("leaf", flat=True))

    def test_seals_nothing_while_the_keeper_does_not_answer(self, house: House) -> None:
        house.keeper.is_down = True

        with pytest.raises(CustodianUnavailable):
            house.round()

        assert not LogBatch.objects.exists()

    def test_goes_on_after_an_answer_was_lost(self, house: House) -> None:
        house.keeper.loses_answers = True
        with pytest.raises(CustodianUnavailable):
            house.round()
        house.keeper.loses_answers = False

        house.round()

        assert LogCheckpoint.objects.count() == 2

    def test_stops_when_another_process_has_kept_a_head_meanwhile(self, house: House) -> None:
        house.round()
        known = house.keeper.head

        def other(point: str) -> None:
            if point == "contracts.log.keeping":
                house.keeper.head = None

        with failpoints.installed(other), pytest.raises(HistoryBroken):
            house.round()

        assert LogCheckpoint.objects.count() == 1
        house.keeper.head = known
        house.round()


class TestPause:
    def test_is_never_the_same(self, settings: Settings) -> None:
        settings.LETHE_LOG_EVERY = 100
        pauses = {sequencing.pause() for _ in range(50)}

        assert len(pauses) > 40
        assert min(pauses) >= timedelta(seconds=50)
        assert max(pauses) <= timedelta(seconds=150)


@pytest.mark.long
class TestRestore:
    def dump(self, tmp_path: Path) -> Path:
        return restores.take(tmp_path / "backup.dump")

    def test_of_the_database_signs_no_second_history(self, house: House, tmp_path: Path) -> None:
        house.round()
        dump = self.dump(tmp_path)
        for _ in range(2):
            house.put()
            house.round()
        restores.put_back(dump)

        with pytest.raises(HistoryBroken, match="lacks entries"):
            house.round()

        assert keeping.look()[0] is History.DATABASE_BEHIND
        assert LogBatch.objects.count() == 1

    def test_is_followed_by_a_new_generation(
        self, house: House, tmp_path: Path, settings: Settings
    ) -> None:
        house.round()
        dump = self.dump(tmp_path)
        house.round()
        lost = house.keeper.head
        restores.put_back(dump)

        row = founding.found(operator=OPERATOR, now=NOON)
        house.round()

        assert (row.number, row.size) == (1, 64)
        assert lost is not None
        assert row.follows == {"generation": 0, "size": 128, "root": lost.root.hex()}
        newest = LogCheckpoint.objects.order_by("-batch_id").first()
        assert newest is not None
        assert newest.origin == f"{settings.LETHE_LOG_ORIGIN}/1"
        assert list(checking.faults()) == []
        assert AuditEvent.objects.filter(action="contracts.log.founded").count() == 1

    def test_to_before_a_founding_founds_the_one_after_it(
        self, house: House, tmp_path: Path
    ) -> None:
        house.round()
        dump = self.dump(tmp_path)
        house.round()
        for number in (1, 2):
            restores.put_back(dump)
            with pytest.raises(HistoryBroken):
                house.round()

            assert founding.found(operator=OPERATOR, now=NOON).number == number
            house.round()

    def test_of_the_same_entries_goes_on(self, house: House, tmp_path: Path) -> None:
        house.round()
        dump = self.dump(tmp_path)
        restores.put_back(dump)

        house.round()

        assert LogBatch.objects.count() == 2

    def test_beside_the_living_database_stops_one_of_them(
        self, house: House, tmp_path: Path
    ) -> None:
        house.round()
        dump = self.dump(tmp_path)
        with restores.in_a_new_database(dump):
            house.round()

        with pytest.raises(HistoryBroken):
            house.round()


class TestFound:
    def test_is_refused_while_they_agree(self, house: House) -> None:
        house.round()

        with pytest.raises(NothingToFound):
            founding.found(operator=OPERATOR, now=NOON)
        with pytest.raises(NothingToFound):
            founding.go_on(operator=OPERATOR, now=NOON)

    def test_that_broke_off_stands(self, house: House) -> None:
        house.round()
        house.keeper.head = None
        hits: list[str] = []
        with failpoints.installed(killer("contracts.log.founded", hits)), pytest.raises(Killed):
            founding.found(operator=OPERATOR, now=NOON)

        house.round()

        assert hits
        assert [row.number for row in LogFounding.objects.all()] == [1]


class TestGoOn:
    def test_continues_where_only_the_key_store_was_put_back(self, house: House) -> None:
        house.round()
        older = house.keeper.head
        house.round()
        for kept in (older, None):
            house.keeper.head = kept
            with pytest.raises(HistoryBroken):
                house.round()

            founding.go_on(operator=OPERATOR, now=NOON)
            house.round()

        assert not LogFounding.objects.exists()
        assert LogBatch.objects.count() == 4

    def test_is_refused_where_the_database_was(self, house: House) -> None:
        house.round()
        house.keeper.head = LogHead(0, 128, bytes(32))

        with pytest.raises(NothingToFound):
            founding.go_on(operator=OPERATOR, now=NOON)


class TestCommands:
    def test_belong_to_the_logs_process(self) -> None:
        for name in ("loggerd", "found_log"):
            with pytest.raises(CommandError, match="LETHE_PROCESS=loggerd"):
                call_command(name)

    def test_run_one_round_and_say_how_things_stand(
        self, house: House, settings: Settings, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings.LETHE_PROCESS = "loggerd"

        call_command("loggerd", "--once")
        call_command("found_log")
        house.keeper.head = None

        said = capsys.readouterr().out
        assert "Batch 0: 64 entries." in said
        assert "in-step: " in said
        with pytest.raises(CommandError, match="log-history-broken"):
            call_command("loggerd", "--once")
