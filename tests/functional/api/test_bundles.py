"""The bundle of a request: what an authority gets, checked with nothing of ours at hand."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from contracts.verifier import bundle
from contracts.verifier.bundle import Bundle
from governance.services import bundles
from tests.fakes.heads import FakeHeadKeeper
from tests.functional.api import test_mass_acts as mass
from tests.functional.api.cast import Cast, Company, Study
from tests.functional.api.test_receipts import publish
from tests.functional.api.test_requests import asked, released

#: Levels of a whole bundle that nobody was asked about.
WHOLE = {0: "holds", 1: "holds", 2: "not-shown", 3: "holds"}


def fetched(cast: Cast, request: Any) -> bytes:
    answer = cast.clinic.person("auditor").get(f"/requests/{request['id']}/bundle")
    assert answer.status_code == 200, answer.content
    assert answer.headers["Content-Type"] == "application/zip"
    content: bytes = answer.content
    return content


def of_erasure(study: Study, name: str = "ada", keeper: FakeHeadKeeper | None = None) -> bytes:
    request = released(study.cast, study.patient(name))
    study.cast.run()
    publish(keeper)
    return fetched(study.cast, request)


def unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: dict[str, bytes]) -> bytes:
    """As whoever changed a file would: with a manifest that fits."""
    manifest = json.loads(files["bundle.json"])
    for one in manifest["files"]:
        one["sha256"] = hashlib.sha256(files[one["name"]]).hexdigest()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, content in {**files, "bundle.json": json.dumps(manifest).encode()}.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return made.getvalue()


def with_events(content: bytes, change: Callable[[list[Any]], object]) -> Bundle:
    files = unpacked(content)
    events = json.loads(files["events.json"])
    change(events["entries"])
    return bundle.examine(packed({**files, "events.json": json.dumps(events).encode()}))


def without(number: int) -> Callable[[list[Any]], object]:
    return lambda entries: entries.pop(number)


def changed(number: int, member: str, value: Any) -> Callable[[list[Any]], object]:
    return lambda entries: entries[number]["event"].update({member: value})


class TestBundle:
    def test_shows_all_that_needs_no_network(self, study: Study) -> None:
        report = bundle.examine(of_erasure(study))

        assert report.verdict == "valid", report.checks
        assert report.levels == WHOLE
        kinds = [one.kind for _, one in report.documents]
        assert kinds == ["decision", "certificate"]

    def test_is_checked_by_the_program_in_it_on_a_bare_python(
        self, study: Study, tmp_path: Path
    ) -> None:
        content = of_erasure(study)
        (tmp_path / "bundle.zip").write_bytes(content)
        (tmp_path / "verify.py").write_bytes(unpacked(content)["verify.py"])

        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-I", "-S", "verify.py", "bundle.zip", *arguments],
                cwd=tmp_path, env={}, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip

        done = run("--level", "3")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "VALID: bundle of 2 documents." in done.stdout
        assert run("--level", "2").returncode == 12
        assert json.loads(run("--json").stdout)["levels"]["3"] == "holds"

    def test_before_the_log_has_it_is_signed_and_no_more(self, study: Study) -> None:
        request = released(study.cast, study.patient("ada"))
        study.cast.run()

        report = bundle.examine(fetched(study.cast, request))

        assert report.verdict == "valid"
        assert report.levels == {0: "holds", 1: "not-shown", 2: "not-shown", 3: "not-shown"}

    def test_of_a_request_under_way_has_the_decisions(self, study: Study) -> None:
        request = released(study.cast, study.patient("ada"))

        report = bundle.examine(fetched(study.cast, request))

        assert [one.kind for _, one in report.documents] == ["decision"]

    def test_of_a_mass_erasure_tells_the_same_story(self, cast: Cast, clinic: Company) -> None:
        shop = clinic.source("subjects:write", "records:write", name="shop")
        mass.bring(shop, "ada")
        mass_act = mass.released(clinic, shop)
        mass.work(cast)
        cast.run()
        path = f"/mass-acts/{mass_act['id']}/requests"
        (request,) = clinic.person("auditor").get(path).json()["items"]
        publish()

        report = bundle.examine(fetched(cast, request))

        assert report.levels == WHOLE, report.checks

    def test_is_for_staff_of_the_controller(self, study: Study) -> None:
        request = released(study.cast, study.patient("ada"))
        path = f"/requests/{request['id']}/bundle"

        assert study.cast.insurer.person("auditor").get(path).status_code == 404
        assert study.pipeline.get(path).status_code == 403

    def test_is_refused_before_anybody_decided(self, cast: Cast) -> None:
        request = asked(cast.clinic.source(), cast.subject("ada")).json()

        answer = cast.clinic.person("auditor").get(f"/requests/{request['id']}/bundle")

        assert (answer.status_code, answer.json()["code"]) == (409, "nothing-decided")

    def test_is_the_same_zip_for_the_same_documents(self, db: None) -> None:
        files = {"receipt.json": ("document", b"{}")}

        assert bundles.zip_of(files) == bundles.zip_of(files)


class TestStory:
    """Level 3: events that are all in the log, and tell another story."""

    def test_with_one_event_left_out_fails_there_and_only_there(self, study: Study) -> None:
        content = of_erasure(study)
        count = len(json.loads(unpacked(content)["events.json"])["entries"])

        for number in range(count):
            report = with_events(content, without(number))
            assert report.levels == {**WHOLE, 3: "fails"}, number

    def test_with_any_member_of_an_event_changed_fails(self, study: Study) -> None:
        content = of_erasure(study)
        entries = json.loads(unpacked(content)["events.json"])["entries"]
        other = "00000000-0000-4000-8000-000000000000"
        new: dict[str, Any] = {
            "action": "vault.shredding.other",
            "actor": "process:other",
            "at": "2026-01-01T00:00:00.000000Z",
            "details": {"x": 1},
            "role": "other",
        }

        for number, entry in enumerate(entries):
            for member in entry["event"].keys() - {"trail"}:
                value = new.get(member, other)
                report = with_events(content, changed(number, member, value))
                assert report.levels == {**WHOLE, 3: "fails"}, (number, member)
            report = with_events(content, changed(number, "trail", other))
            assert report.levels[0] == "fails"

    def test_with_events_of_another_erasure_fails(self, study: Study) -> None:
        keeper = FakeHeadKeeper()
        ours = of_erasure(study, keeper=keeper)
        foreign = unpacked(of_erasure(study, "bea", keeper))["events.json"]

        report = bundle.examine(packed({**unpacked(ours), "events.json": foreign}))

        assert report.levels[3] == "fails"

    @pytest.mark.parametrize("action", ["vault.shredding.fenced", "governance.request.released"])
    def test_that_a_restore_has_lost_a_part_of_is_not_handed_out(
        self, study: Study, action: str
    ) -> None:
        request = released(study.cast, study.patient("ada"))
        study.cast.run()
        publish()
        with connections["owner"].cursor() as cursor:
            cursor.execute("DELETE FROM core_auditevent WHERE action = %s", [action])

        report = bundle.examine(fetched(study.cast, request))

        assert report.verdict == "valid"
        assert report.levels[3] == "not-shown"

    def test_without_events_is_not_shown(self, study: Study) -> None:
        files = unpacked(of_erasure(study))
        del files["events.json"]
        manifest = json.loads(files["bundle.json"])
        manifest["files"] = [one for one in manifest["files"] if one["name"] != "events.json"]
        files["bundle.json"] = json.dumps(manifest).encode()

        assert bundle.examine(packed(files)).levels == {**WHOLE, 3: "not-shown"}


class TestZip:
    @pytest.mark.parametrize("name", ["bundle.json", "keys.json", "certificate-interim.json"])
    def test_with_a_file_missing_is_refused(self, study: Study, name: str) -> None:
        files = unpacked(of_erasure(study))
        del files[name]
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            for one, content in files.items():
                archive.writestr(one, content)

        assert bundle.examine(made.getvalue()).verdict in ("invalid", "unreadable")
