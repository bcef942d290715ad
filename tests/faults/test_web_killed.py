"""A web process killed between Vault's answer and our commit: nothing is lost, nothing doubled."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from core import ids
from core.ids import PublicId
from core.models import Effect
from governance.models import ConsentRecord
from tests.faults.processes import Processes
from tests.functional.api.cast import SCHEMA, Caller, Cast, Study, consent_body, reference
from tests.functional.api.cast import study as make_study
from tests.servers.roles import EveryProcess
from tests.servers.vaultd import VaultServer
from vault.models import KeyShare, SealedRecord, Subject
from vault.services import key_cache, reconciling

pytestmark = [pytest.mark.fault, pytest.mark.vault, pytest.mark.long]

POINTS = ["vault.keys.planned", "vault.keys.created"]
_SCRIPT = "tests/faults/one_request.py"


@pytest.fixture
def processes(vault_server: VaultServer, tmp_path: Path) -> Processes:
    return Processes(vault_server, tmp_path)


def killed(
    processes: Processes, caller: Caller, path: str, body: Any, *, at: str, key: str | None = None
) -> None:
    token = caller.headers["Authorization"].removeprefix("Bearer ")
    command = ("-c", f"import runpy; runpy.run_path({_SCRIPT!r}, run_name='__main__')")
    keys = () if key is None else (key,)
    ended = processes.run("web", *command, path, token, json.dumps(body), *keys, kill_at=at)
    assert ended.returncode == -signal.SIGKILL, ended.stdout + ended.stderr[-1500:]


def check(cast: Cast, server: VaultServer) -> None:
    """Every share of the key store is known, and every share that is live is there."""
    report = reconciling.compare(controller_id=cast.clinic.controller.pk)
    held = set(EveryProcess(server).kids(controller_id=cast.clinic.controller.pk))
    rows = {row.kid.bytes: row.state for row in KeyShare.objects.all()}
    assert report.is_clean
    assert held <= rows.keys()
    assert {kid for kid, state in rows.items() if state == "live"} <= held
    assert set(rows.values()) <= {"live", "planned"}


class TestWebKilled:
    @pytest.mark.parametrize("point", POINTS)
    def test_while_it_creates_a_subject_leaves_one_subject(
        self, study: Study, processes: Processes, vault_server: VaultServer, point: str
    ) -> None:
        source = study.cast.clinic.source()
        body = {"references": [reference("ada")]}

        killed(processes, source, "/subjects", body, at=point)
        again = source.post("/subjects", body)
        once_more = source.post("/subjects", body)

        assert {again.status_code, once_more.status_code} <= {200, 201}
        assert again.json()["id"] == once_more.json()["id"]
        assert study.patient("ada") == again.json()["id"]
        assert study.read(study.lease())[0]["data"] == {"age": 41}
        assert Subject.objects.exclude(lookuptag=None).count() == 1
        check(study.cast, vault_server)

    def test_leaves_nothing_that_counts_as_a_person(
        self, study: Study, processes: Processes
    ) -> None:
        """The row that the dead process left has no reference, so nobody can ever name it."""
        source = study.cast.clinic.source()
        body = {"references": [reference("ada")]}

        killed(processes, source, "/subjects", body, at="vault.keys.created")
        study.patient("ada")
        duty = make_study(study.cast, code="duty", basis="legal-obligation")

        for lease in (study.lease(), duty.lease()):
            assert lease["subjects"] == 1
            assert set(lease["exclusions"].values()) == {0}
        assert not Effect.objects.exclude(last_error="").exists()

    @pytest.mark.parametrize("point", POINTS)
    def test_while_it_seals_a_record_leaves_one_record(
        self, study: Study, processes: Processes, vault_server: VaultServer, point: str
    ) -> None:
        clinic, subject = study.cast.clinic, study.patient("ada")
        made = clinic.person("compliance-officer").post(
            "/categories",
            {"code": "apart", "name": "Apart", "schema": SCHEMA, "key_group": "apart"},
        )
        assert made.status_code == 201, made.content
        body = {"category": "apart", "reference": "r1", "document": {"age": 7}}

        killed(processes, clinic.source(), f"/subjects/{subject}/records", body, at=point)
        assert SealedRecord.objects.count() == 1
        again = clinic.source().post(f"/subjects/{subject}/records", body)
        key_cache.cache().clear()
        records = clinic.source().get(f"/subjects/{subject}/records").json()["items"]

        assert again.status_code == 201
        assert sorted(record["document"]["age"] for record in records) == [7, 41]
        check(study.cast, vault_server)

    def test_right_after_its_commit_has_told_the_repeat_what_it_came_to(
        self, study: Study, processes: Processes
    ) -> None:
        subject = study.patient("ada", consents=False)
        body = consent_body(study.purpose, subject_id=subject)

        source = study.cast.clinic.source()
        killed(processes, source, "/consents", body, at="core.once.acted", key="k1")
        again = source.post("/consents", body, Idempotency_Key="k1")
        once_more = source.post("/consents", body, Idempotency_Key="k1")

        assert again.status_code == 201, again.content
        assert (once_more.status_code, once_more.json()) == (201, again.json())
        assert ids.format(PublicId.CONSENT, ConsentRecord.objects.get().id) == again.json()["id"]
