"""One made-up person goes through the whole product, and is then looked for everywhere.

A real Vault with its audit device on, Celery's broker folder, real eraser and attester processes;
every byte that any of them leaves is searched, before the erasure and after it.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from pytest_django import Settings

from config.local.vaultd import Vaultd
from core import effects
from tests.faults.conftest import real_cast
from tests.faults.processes import Processes
from tests.functional.api.cast import Cast, Study, consent_body, version_body
from tests.functional.api.test_requests import released
from tests.security import canaries, dumps
from tests.servers.vaultd import VaultServer, program, started

pytestmark = [pytest.mark.vault, pytest.mark.long]

TEXT = {"type": "string"}
SCHEMA = {
    "type": "object",
    "properties": dict.fromkeys(("name", "email", "phone", "customer"), TEXT),
    "additionalProperties": False,
}
PERSON = dict(zip(("name", "email", "phone", "customer"), canaries.ALL, strict=True))
REFERENCES = [
    {"kind": kind, "value": PERSON[name]}
    for kind, name in (("email", "email"), ("phone", "phone"), ("customer-number", "customer"))
]


@dataclass
class Traces:
    """The folders that a run writes to, and the run itself."""

    folder: Path
    vault: VaultServer
    cast: Cast
    answers: list[bytes] = field(default_factory=list)

    def found(self, moment: str) -> list[str]:
        """Dump the database, then search everything; the folder of dumps is in it."""
        dumps.take(self.folder / f"{moment}.sql")
        dumps.take(self.folder / f"{moment}.dump", "--format=custom", "--compress=0")
        return canaries.found_under(self.folder)

    def sizes(self) -> dict[str, int]:
        """Bytes under each place of the folder."""
        return {
            place.name: sum(f.stat().st_size for f in [place, *place.rglob("*")] if f.is_file())
            for place in self.folder.iterdir()
        }


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[VaultServer]:
    with Vaultd(program(), data=tmp_path / "vault") as process:
        server = started(process)
        process.audit_to(tmp_path / "vault-audit.json", token=server.root)
        yield server


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Path]:
    """The product's own handler, at its most talkative, into a file."""
    root, path = logging.getLogger(), tmp_path / "web.log"
    ours = next(handler for handler in root.handlers if type(handler) is logging.StreamHandler)
    handler = logging.FileHandler(path)
    handler.setFormatter(ours.formatter)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield path
    root.setLevel(level)
    root.removeHandler(handler)
    handler.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Path]:
    proxy: Any = current_app
    before = proxy._get_current_object()
    from config import celery

    app = celery.build(broker_dir=tmp_path / "broker")
    app.set_current()
    yield tmp_path / "broker"
    app.close()
    before.set_current()


@pytest.fixture
def traces(
    transactional_db: None,
    settings: Settings,
    tmp_path: Path,
    vault: VaultServer,
    logs: Path,
    broker: Path,
) -> Iterator[Traces]:
    settings.STATIC_ROOT = str(tmp_path / "static")
    (tmp_path / "static").mkdir()
    with real_cast(tmp_path, vault) as cast:
        cast.world.journal.close()  # one writer at a time, and here it is the eraser's process
        yield Traces(tmp_path, vault, cast)


def register(cast: Cast) -> Study:
    """A category of contact data, and a purpose that reads all of it."""
    officer, analyst = cast.clinic.person("compliance-officer"), cast.clinic.person("analyst", "al")
    officer.post("/categories", {"code": "contact", "name": "Contact", "schema": SCHEMA})
    purpose = analyst.post("/purposes", {"code": "mailing", "name": "Mailing"}).json()["id"]
    version = version_body(categories={"contact": sorted(PERSON)})
    assert analyst.post(f"/purposes/{purpose}/versions", version).status_code == 201
    assert officer.post(f"/purposes/{purpose}/activations", {"version": 1}).status_code == 201
    effects.sweep(queue="default", now=cast.world.now)
    return Study(cast, purpose)


def take_in(traces: Traces, study: Study) -> str:
    """Create the person, write and read the data, and stream it: singly and in bulk."""
    source = traces.cast.clinic.source()
    body = {"references": REFERENCES}
    subject = source.post("/subjects", body, Idempotency_Key=PERSON["customer"]).json()["id"]
    record = {"category": "contact", "reference": PERSON["customer"], "document": PERSON}
    done: list[Any] = [
        source.post("/subjects/lookup", REFERENCES[0]),
        source.post(f"/subjects/{subject}/records", record, Idempotency_Key=PERSON["email"]),
        source.post("/consents", consent_body(study.purpose, subject=REFERENCES[1])),
        source.get(f"/subjects/{subject}"),
        source.get(f"/subjects/{subject}/records"),
        source.get(f"/subjects/{subject}/consents"),
        study.pipeline.get(f"/leases/{study.lease()['id']}/records"),
    ]
    assert {answer.status_code for answer in done} <= {200, 201}
    changed = {"document": {**PERSON, "phone": PERSON["phone"] + "0"}}
    line = {**record, **changed, "subject": REFERENCES[2]}
    outcome, _ = source.bulk("/records:bulk", [line])
    assert outcome["outcome"] == "updated"
    traces.answers += [answer.getvalue() for answer in done]
    return str(subject)


def erase(traces: Traces, subject: str) -> Any:
    """Three people decide; two processes of their own carry it out. The certificate's file."""
    request = released(traces.cast, subject)
    processes = Processes(traces.vault, traces.folder)
    for process, queue in (("eraser", "shred"), ("attester", "attest"), ("attester", "attest")):
        traces.cast.world.later(minutes=10)
        ended = processes.run(process, "manage.py", "sweep", queue, LETHE_LOG_LEVEL="DEBUG")
        (traces.folder / f"{process}.log").write_text(ended.stdout + ended.stderr)
    found = traces.cast.clinic.source().get(f"/requests/{request['id']}/certificates")
    return found.json()["items"][0]["file"]


class TestCanary:
    def test_is_found_nowhere_before_or_after_the_erasure(self, traces: Traces) -> None:
        study = register(traces.cast)
        subject = take_in(traces, study)

        before = traces.found("before")
        certificate = erase(traces, subject)
        file = traces.folder / "certificate.json"
        file.write_text(json.dumps(certificate))
        after = traces.found("after")

        assert before == []
        assert after == []
        verified = subprocess.run(
            [sys.executable, "-m", "contracts.verifier", str(file)],
            capture_output=True,
            check=False,
        )
        assert verified.returncode == 0, verified.stdout
        assert canaries.found_in(verified.stdout) == []
        # The control: the person did pass through, and every place searched has something in it.
        assert canaries.found_in(b"".join(traces.answers))
        sizes = traces.sizes()
        places = {
            "journal", "mirror", "broker", "vault", "vault-audit.json", "web.log", "eraser.log",
            "attester.log", "certificate.json", "before.sql", "before.dump", "after.sql",
            "after.dump",
        }  # fmt: skip
        assert places <= sizes.keys()
        assert min(sizes[place] for place in places) > 0

    @pytest.mark.parametrize("value", canaries.ALL)
    def test_in_a_table_in_clear_is_found(self, cast: Cast, tmp_path: Path, value: str) -> None:
        """The control: a leak into the database shows in both kinds of dump."""
        cast.clinic.controller.name = value
        cast.clinic.controller.save()
        plain, custom = tmp_path / "control.sql", tmp_path / "control.dump"

        for path, options in ((plain, ()), (custom, ("--format=custom", "--compress=0"))):
            assert canaries.found_under(dumps.take(path, *options))
