"""A real PostgreSQL whose disk is full: that of its tables, and that of its WAL."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import close_old_connections
from django.test import Client
from pytest_django import Settings

from core import effects, ids
from core.models import Effect
from core.unit_of_work import forget_broken_connection
from tests.faults.waiting import until
from tests.functional.api.cast import Cast, Study
from tests.functional.api.cast import cast as make_cast
from tests.functional.api.test_requests import released
from tests.servers import restores
from tests.servers.own_postgres import DATABASE, OwnPostgres, give_away
from tests.servers.volumes import SmallVolume, small_volume
from vault.domain.gate import Reason
from vault.models import SealedRecord, Shredding
from vault.services import gatekeeper

pytestmark = [pytest.mark.fault, pytest.mark.long]

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}}
GONE, CLOSED = (503, "database-unavailable"), (503, "restore-replay-required")


@pytest.fixture
def tables(primary: OwnPostgres) -> Iterator[SmallVolume]:
    """The product's tables, on a volume of their own."""
    with small_volume(primary.folder / "tables", size="48m") as volume:
        give_away(volume.path)
        primary.sql(f"CREATE TABLESPACE small LOCATION '{volume.path}'")
        primary.sql(f"ALTER DATABASE {DATABASE} SET TABLESPACE small")
        yield volume
        primary.end()


@pytest.fixture
def wal(primary: OwnPostgres) -> Iterator[SmallVolume]:
    """The WAL, on a volume of its own."""
    primary.stop("fast")
    with small_volume(primary.folder / "wal", size="24m") as volume:
        here = primary.data / "pg_wal"
        shutil.copytree(here, volume.path, dirs_exist_ok=True)
        shutil.rmtree(here)
        here.symlink_to(volume.path)
        give_away(primary.folder)
        primary.start()
        yield volume
        primary.end()


@pytest.fixture
def volume(request: pytest.FixtureRequest) -> SmallVolume:
    found: SmallVolume = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def cast(
    volume: SmallVolume, own_database: None, settings: Settings, tmp_path: Path
) -> Iterator[Cast]:
    settings.STATIC_ROOT = str(tmp_path)
    settings.LETHE_PROCESS = "web"
    with make_cast(tmp_path) as made:
        yield made


class Notes:
    """Writes long records, and knows which of them were taken."""

    def __init__(self, study: Study) -> None:
        self._source = study.cast.clinic.source()
        officer = study.cast.clinic.person("compliance-officer")
        officer.post("/categories", {"code": "notes", "name": "Notes", "schema": TEXT})
        self._subject = study.cast.subject("dora")
        self.taken = 0

    def write(self) -> tuple[int, str]:
        body = {
            "category": "notes",
            "reference": f"r{self.taken}",
            "document": {"text": "n" * 100_000},
        }
        answer = self._source.post(f"/subjects/{self._subject}/records", body)
        close_old_connections()  # as between two requests
        if answer.status_code == 201:
            self.taken += 1
        return answer.status_code, answer.json().get("code", "")

    def write_until_refused(self) -> tuple[int, str]:
        for _ in range(1000):
            outcome = self.write()
            if outcome[0] != 201:
                return outcome
        raise AssertionError("the volume never was full")

    def count(self) -> int:
        subject_id = ids.parse(ids.PublicId.SUBJECT, self._subject)
        return SealedRecord.objects.filter(subject=subject_id).count()


class TestDiskFull:
    @pytest.mark.parametrize("volume", ["tables"], indirect=True)
    def test_refuses_what_needs_room_and_goes_on_when_there_is_some(
        self, study: Study, volume: SmallVolume
    ) -> None:
        ada, cle = study.patient("ada"), study.patient("cle")
        released(study.cast, cle)
        notes = Notes(study)
        study.cast.world.later(minutes=10)
        volume.fill()

        assert notes.write_until_refused() == GONE
        assert outcome(read(study, ada)) in {(200, ""), GONE}  # a read leaves evidence, or is none
        assert Client().get("/readyz").status_code == 200
        erase(study)
        assert outcome(study.consent(ada, "withdrawn")) in {(201, ""), GONE}
        close_old_connections()
        assert notes.count() == notes.taken

        volume.make_room()
        assert notes.write() == (201, "")
        assert notes.count() == notes.taken
        assert study.consent(ada, "withdrawn").status_code in {200, 201}
        for _ in range(2):
            study.cast.world.later(minutes=10)
            erase(study)
        assert Shredding.objects.get().state == "verified"
        assert not Effect.objects.filter(state="needs-operator").exists()

    @pytest.mark.parametrize("volume", ["wal"], indirect=True)
    def test_of_the_wal_ends_the_server_and_loses_nothing_that_was_answered(
        self, study: Study, volume: SmallVolume, primary: OwnPostgres
    ) -> None:
        ada = study.patient("ada")
        notes = Notes(study)
        assert gatekeeper.tend(now=study.cast.world.now) is Reason.IN_STEP
        volume.fill()

        assert notes.write_until_refused() == GONE
        until(lambda: outcome(read(study, ada)) == GONE, "the server to give up")
        assert Client().get("/readyz").status_code == 503
        assert Client().get("/healthz").status_code == 200
        volume.make_room()
        primary.end()
        primary.start()
        restores.disconnect()

        assert outcome(read(study, ada)) == CLOSED
        assert gatekeeper.tend(now=study.cast.world.now) is Reason.IN_STEP
        assert outcome(read(study, ada)) == (200, "")
        assert notes.count() == notes.taken
        assert notes.write() == (201, "")
        assert not Shredding.objects.exclude(held_at=None).exists()


def outcome(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def read(study: Study, subject: str) -> Any:
    answer = study.cast.clinic.source().get(f"/subjects/{subject}/records")
    close_old_connections()
    return answer


def erase(study: Study) -> None:
    """A round of eraser and attester, as `sweep --forever` makes it."""
    for queue in ("shred", "attest", "attest"):
        forget_broken_connection()
        effects.sweep(queue=queue, now=study.cast.world.now)
