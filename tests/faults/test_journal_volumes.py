"""Volumes of the erasure journal that are full, gone, old, damaged or read-only, under an eraser
that runs on: what users are answered, what /readyz says, and what ends without hands."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import Settings

from core import runtime
from core.models import Effect
from core.unit_of_work import unit_of_work
from tests.functional.api.cast import Study
from tests.functional.api.cast import cast as make_cast
from tests.functional.api.cast import study as make_study
from tests.functional.api.test_requests import released
from tests.servers.volumes import SmallVolume, small_volume
from vault.adapters import journal as adapter
from vault.adapters import journal_reader, journal_verifying
from vault.domain.gate import Reason
from vault.models import PendingEntry, Shredding
from vault.services import gatekeeper
from vault.services import journal as announcements

pytestmark = [pytest.mark.fault, pytest.mark.long]

UNAVAILABLE, BEHIND = Reason.JOURNAL_UNAVAILABLE, Reason.JOURNAL_BEHIND


@dataclass
class House:
    """A company whose journal lies on two small volumes."""

    study: Study
    primary: SmallVolume
    mirror: SmallVolume
    journal: adapter.StandingJournal

    @property
    def both(self) -> tuple[SmallVolume, SmallVolume]:
        return self.primary, self.mirror

    def tend(self) -> Reason | None:
        return gatekeeper.tend(now=self.study.cast.world.now)

    def erase(self, subject: str) -> None:
        """Have it released, and let eraser and attester do what they can."""
        released(self.study.cast, subject)
        self.study.cast.run()

    def withdraw(self, subject: str) -> None:
        assert self.study.consent(subject, "withdrawn").status_code == 201

    def announce_much(self) -> None:
        """More revocations than fit into the block that the last segment ends in."""
        now = self.study.cast.world.now
        bodies = [announcements.pair(uuid4(), uuid4(), uuid4(), now) for _ in range(20)]
        with unit_of_work():
            announcements.intend_many(kind="revocation", bodies=bodies, now=now)

    def assert_reads(
        self, subject: str, *, closed_by: Reason | None = None, trouble: str = ""
    ) -> None:
        """A user's read, and what the web process says of itself."""
        answer = self.study.cast.clinic.source().get(f"/subjects/{subject}/records")
        ready = Client().get("/readyz")
        said = ready.json()["gate"]
        assert ready.status_code == 200  # withdrawals and requests are taken in any case
        assert said["reason"] == (closed_by or Reason.IN_STEP).value
        assert said["trouble"] == trouble
        if closed_by is None:
            assert answer.status_code == 200, answer.content
            return
        assert (answer.status_code, answer.json()["code"]) == (503, "restore-replay-required")
        assert int(answer["Retry-After"]) > 0
        assert "journal-lost.md" in said["words"]

    def assert_whole(self) -> None:
        reports = journal_verifying.verify([volume.path for volume in self.both])
        assert [report.wrong for report in reports] == ["", ""]


@pytest.fixture
def house(transactional_db: None, settings: Settings, tmp_path: Path) -> Iterator[House]:
    settings.STATIC_ROOT = str(tmp_path)
    settings.LETHE_PROCESS = "web"
    settings.LETHE_JOURNAL_DIR = tmp_path / "journal"
    settings.LETHE_JOURNAL_MIRRORS = [tmp_path / "mirror"]
    with ExitStack() as stack:
        primary, mirror = (
            stack.enter_context(small_volume(tmp_path / name, size="2m"))
            for name in ("journal", "mirror")
        )
        cast = stack.enter_context(make_cast(tmp_path))
        cast.world.journal.close()
        standing = adapter.journal()
        stack.callback(standing.close)
        bound = runtime.override(journal=standing, journal_reader=adapter.reader())
        stack.enter_context(bound)
        made = House(make_study(cast), primary, mirror, standing)
        assert made.tend() is Reason.IN_STEP
        yield made


@pytest.fixture(params=["primary", "mirror"])
def volume(request: pytest.FixtureRequest, house: House) -> SmallVolume:
    """Each of the two in turn."""
    found: SmallVolume = getattr(house, request.param)
    return found


class TestFullVolume:
    def test_takes_the_space_held_back_and_then_lets_erasures_wait(
        self, house: House, volume: SmallVolume
    ) -> None:
        ada, bea, cle = (house.study.patient(name) for name in ("ada", "bea", "cle"))
        volume.fill()
        house.announce_much()
        house.erase(ada)
        assert house.tend() is Reason.IN_STEP
        assert Shredding.objects.get().state == "verified"
        assert not (volume.path / "reserve").exists()

        volume.fill()
        house.announce_much()
        house.erase(bea)
        shredding = Shredding.objects.get(state="ordered")
        effect = Effect.objects.get(kind="vault.shred", key=str(shredding.erasure_id))
        assert (effect.state, effect.last_error) == ("pending", "journal-unavailable")
        house.withdraw(cle)
        assert house.tend() is Reason.IN_STEP
        house.assert_reads(cle, trouble="journal-unavailable")
        assert house.study.read(house.study.lease())[-1]["records"] == 0

        volume.make_room()
        house.study.cast.run()
        assert house.tend() is Reason.IN_STEP
        house.assert_reads(house.study.patient("dan"))
        shredding.refresh_from_db()
        assert shredding.state == "verified"
        assert not PendingEntry.objects.exists()
        assert not Effect.objects.exclude(failures=0).exists()
        house.assert_whole()


class TestVolumeGone:
    def test_closes_at_once_and_opens_by_itself_when_mounted_again(
        self, house: House, volume: SmallVolume
    ) -> None:
        ada, bea = house.study.patient("ada"), house.study.patient("bea")
        house.tend()
        volume.take_away()

        assert house.tend() is UNAVAILABLE
        house.assert_reads(ada, closed_by=UNAVAILABLE)
        house.withdraw(bea)
        house.erase(ada)
        assert Shredding.objects.get().state == "fenced"
        assert house.tend() is UNAVAILABLE
        assert not list(volume.path.glob("*.jsonl"))  # nothing was begun on the empty directory

        volume.put_back()
        assert house.tend() is Reason.IN_STEP
        house.assert_reads(bea)
        house.study.cast.run()
        assert Shredding.objects.get().state == "verified"
        house.assert_whole()

    def test_is_not_needed_at_the_eraser_s_start(self, house: House, volume: SmallVolume) -> None:
        ada = house.study.patient("ada")
        house.tend()
        house.journal.close()
        volume.take_away()

        assert house.tend() is UNAVAILABLE
        house.assert_reads(ada, closed_by=UNAVAILABLE)

        (volume.path / "lock").unlink(missing_ok=True)
        volume.put_back()
        assert house.tend() is Reason.IN_STEP
        house.assert_reads(ada)

    def test_comes_back_as_another_device_with_the_same_content(
        self, house: House, volume: SmallVolume, tmp_path: Path
    ) -> None:
        """A disk that was attached anew: nothing on it is the file that the eraser had locked."""
        ada = house.study.patient("ada")
        house.tend()
        kept = Path(shutil.copytree(volume.path, tmp_path / "kept"))
        volume.take_away()
        assert house.tend() is UNAVAILABLE

        shutil.copytree(kept, volume.path, dirs_exist_ok=True)
        assert house.tend() is Reason.IN_STEP
        house.assert_reads(ada)


class TestRolledBack:
    def older(self, house: House, tmp_path: Path) -> list[Path]:
        """Copies of both volumes, after which somebody was erased."""
        ada = house.study.patient("ada")
        house.tend()
        kept = [
            Path(shutil.copytree(volume.path, tmp_path / f"kept-{volume.path.name}"))
            for volume in house.both
        ]
        house.erase(ada)
        house.withdraw(house.study.patient("cle"))
        assert house.tend() is Reason.IN_STEP
        return kept

    def put(self, volume: SmallVolume, content: Path) -> None:
        for path in volume.path.glob("*.jsonl"):
            path.unlink()
        for path in content.glob("*.jsonl"):
            shutil.copy(path, volume.path)

    def test_on_both_sides_closes_and_nothing_is_appended(
        self, house: House, tmp_path: Path
    ) -> None:
        kept = self.older(house, tmp_path)
        bea = house.study.patient("bea")
        head = journal_reader.read_head(kept[0])
        present = [
            Path(shutil.copytree(volume.path, tmp_path / f"present-{volume.path.name}"))
            for volume in house.both
        ]
        for volume, older in zip(house.both, kept, strict=True):
            self.put(volume, older)

        assert house.tend() in {UNAVAILABLE, BEHIND}
        assert house.tend() is BEHIND
        house.assert_reads(bea, closed_by=BEHIND)
        house.withdraw(bea)
        house.erase(bea)
        assert house.tend() is BEHIND
        assert journal_reader.read_head(house.primary.path) == head

        for volume, newest in zip(house.both, present, strict=True):
            self.put(volume, newest)
        assert house.tend() in {UNAVAILABLE, Reason.IN_STEP}
        assert house.tend() is Reason.IN_STEP
        house.study.cast.run()
        assert set(Shredding.objects.values_list("state", flat=True)) == {"verified"}
        house.assert_whole()

    def test_on_one_side_closes_and_keeps_both(
        self, house: House, volume: SmallVolume, tmp_path: Path
    ) -> None:
        kept = self.older(house, tmp_path)
        bea = house.study.patient("bea")
        self.put(volume, kept[house.both.index(volume)])
        before = [sorted(path.read_bytes() for path in v.path.glob("*.jsonl")) for v in house.both]

        for _ in range(2):
            assert house.tend() is UNAVAILABLE
        house.assert_reads(bea, closed_by=UNAVAILABLE)
        after = [sorted(path.read_bytes() for path in v.path.glob("*.jsonl")) for v in house.both]
        assert after == before

        right = house.mirror if volume is house.primary else house.primary
        self.put(volume, right.path)  # as the runbook says
        assert house.tend() is Reason.IN_STEP
        house.assert_whole()


class TestReadOnly:
    def test_lets_nothing_be_destroyed_and_ends_when_writable(
        self, house: House, volume: SmallVolume
    ) -> None:
        ada, bea = house.study.patient("ada"), house.study.patient("bea")
        house.tend()
        volume.make_read_only()

        house.erase(ada)
        assert Shredding.objects.get().state == "ordered"
        assert Effect.objects.get(kind="vault.shred").last_error == "journal-unavailable"
        assert house.tend() is UNAVAILABLE
        house.assert_reads(bea, closed_by=UNAVAILABLE)
        house.withdraw(bea)

        volume.make_writable()
        assert house.tend() is Reason.IN_STEP
        house.study.cast.run()
        assert Shredding.objects.get().state == "verified"
        assert not Effect.objects.exclude(failures=0).exists()
        house.assert_whole()
