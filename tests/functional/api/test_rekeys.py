"""Erasing a record, dropping old versions, another key, an expired group: by people, over REST."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from contracts.verifier import documents as verifier
from contracts.verifier.report import VALID
from core import effects
from core.ids import PublicId
from tests.fakes import backups
from tests.functional.api.cast import Caller, Cast, Company, Study, unknown


@pytest.fixture(autouse=True)
def backups_known(settings: Settings) -> Iterator[None]:
    settings.LETHE_BACKUPS_ATTESTED = backups.PATH
    yield
    backups.newest.clear()


@pytest.fixture
def dpo(clinic: Company) -> Caller:
    return clinic.person("dpo", "di")


def finish(cast: Cast) -> None:
    """All steps to the certificate, within the hour for which tokens live."""
    for _ in range(4):
        for store in ("key-store", "database"):
            cast.world.later(minutes=2)
            backups.newest[store] = cast.world.now
        cast.world.later(minutes=8)
        for queue in ("default", "shred", "attest", "attest"):
            effects.sweep(queue=queue, now=cast.world.now)


def patient(study: Study) -> tuple[str, str]:
    """A subject and a record with two versions, beside another record."""
    subject = study.patient("ada")
    study.record(subject, "r2", age=7)
    made = study.record(subject, "r1", age=42)
    assert made.json()["version"] == 2
    return subject, made.json()["id"]


def ages(study: Study) -> list[int]:
    rows = study.read(study.lease())
    return sorted(row["data"]["age"] for row in rows if "data" in row)


class TestRecordErasures:
    def test_removes_at_once_and_ends_with_a_certificate(
        self, cast: Cast, study: Study, dpo: Caller
    ) -> None:
        _, record = patient(study)

        answer = dpo.post(f"/records/{record}/erasures", If_Match='"2"')
        assert answer.status_code == 201, answer.content
        begun = answer.json()
        assert (begun["state"], begun["records"], begun["versions"]) == ("planned", 1, 2)
        assert ages(study) == [7]
        finish(cast)

        path = f"/rekeys/{begun['id']}"
        done = dpo.get(path).json()
        assert (done["state"], done["erasure"]["state"]) == ("done", "verified")
        (item,) = dpo.get(f"{path}/certificates").json()["items"]
        assert valid(item["file"])["scope"] == {
            "kind": "items", "group": "main", "reasons": ["erasure"], "records": 1, "versions": 2,
        }  # fmt: skip
        assert ages(study) == [7]

    def test_needs_the_current_version(self, study: Study, dpo: Caller) -> None:
        _, record = patient(study)
        path = f"/records/{record}/erasures"

        assert dpo.post(path).status_code == 428
        assert dpo.post(path, If_Match='"1"').status_code == 412
        assert ages(study) == [7, 42]

    def test_is_for_deciders_of_the_records_own_controller(
        self, study: Study, clinic: Company, insurer: Company, dpo: Caller
    ) -> None:
        _, record = patient(study)
        path = f"/records/{record}/erasures"

        stranger = insurer.person("dpo", "mal").post(path, If_Match='"2"')
        assert (stranger.status_code, code(stranger)) == (404, "record-not-found")
        nothing = dpo.post(f"/records/{unknown(PublicId.RECORD)}/erasures", If_Match='"2"')
        assert code(nothing) == "record-not-found"
        assert code(clinic.person("analyst", "al").post(path, If_Match='"2"')) == "role-missing"
        assert code(clinic.source().post(path, If_Match='"2"')) == "person-needed"
        assert ages(study) == [7, 42]

    def test_acts_once_under_one_key(self, study: Study, dpo: Caller) -> None:
        _, record = patient(study)
        sent = {"If_Match": '"2"', "Idempotency_Key": "erase-1"}

        first = dpo.post(f"/records/{record}/erasures", **sent)
        again = dpo.post(f"/records/{record}/erasures", **sent)

        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()

    def test_is_refused_under_a_hold(self, study: Study, clinic: Company, dpo: Caller) -> None:
        subject, record = patient(study)
        hold = {"scope": "subject", "scope_id": subject, "ground": "art17-3-e"}
        assert clinic.person("compliance-officer").post("/holds", hold).status_code == 201

        answer = dpo.post(f"/records/{record}/erasures", If_Match='"2"')

        assert (answer.status_code, code(answer)) == (409, "shred-locked")
        assert ages(study) == [7, 42]


class TestRecordRectifications:
    def test_removes_what_was_superseded(self, cast: Cast, study: Study, dpo: Caller) -> None:
        subject, record = patient(study)

        answer = dpo.post(f"/records/{record}/rectifications", If_Match='"2"')
        assert answer.status_code == 201, answer.content
        finish(cast)

        found = study.cast.clinic.source().get(f"/records/{record}/versions").json()["items"]
        assert [(row["version"], row["document"]["age"]) for row in found] == [(2, 42)]
        same = study.record(subject, "r1", age=42).json()
        assert (same["id"], same["outcome"]) == (record, "unchanged")
        (item,) = dpo.get(f"/rekeys/{answer.json()['id']}/certificates").json()["items"]
        assert valid(item["file"])["legal_ground"] == "art16"


class TestSubjectRekeys:
    def test_keeps_everything_under_another_key(
        self, cast: Cast, study: Study, dpo: Caller
    ) -> None:
        subject, _ = patient(study)
        lease = study.lease()
        before = study.read(lease, "")

        answer = dpo.post(f"/subjects/{subject}/rekeys", {"reason": "leak"})
        assert answer.status_code == 201, answer.content
        finish(cast)

        assert dpo.get(f"/rekeys/{answer.json()['id']}").json()["state"] == "done"
        assert ages(study) == [7, 42]
        assert before
        (item,) = dpo.get(f"/rekeys/{answer.json()['id']}/certificates").json()["items"]
        assert valid(item["file"])["scope"]["kind"] == "rekey"

    def test_knows_no_other_group_reason_or_subject(self, study: Study, dpo: Caller) -> None:
        subject, _ = patient(study)
        path = f"/subjects/{subject}/rekeys"

        assert code(dpo.post(path, {"reason": "leak", "group": "none"})) == "group-not-found"
        assert dpo.post(path, {"reason": "mood"}).status_code == 400
        other = f"/subjects/{unknown(PublicId.SUBJECT)}/rekeys"
        assert code(dpo.post(other, {"reason": "leak"})) == "subject-not-found"

    def test_of_another_controller_cannot_be_seen(
        self, study: Study, insurer: Company, dpo: Caller
    ) -> None:
        subject, _ = patient(study)
        made = dpo.post(f"/subjects/{subject}/rekeys", {"reason": "leak"}).json()
        stranger = insurer.person("dpo", "mal")

        assert code(stranger.get(f"/rekeys/{made['id']}")) == "rekey-not-found"
        mine = stranger.post(f"/subjects/{subject}/rekeys", {"reason": "leak"})
        assert code(mine) == "subject-not-found"


class TestSubjectExpiries:
    def test_ends_one_group_and_certifies_it(
        self, cast: Cast, study: Study, clinic: Company, dpo: Caller
    ) -> None:
        subject, _ = patient(study)
        put_log(clinic, subject)

        answer = dpo.post(f"/subjects/{subject}/expiries", {"group": "logs"})
        assert answer.status_code == 201, answer.content
        finish(cast)

        path = f"/expiries/{answer.json()['id']}"
        assert dpo.get(path).json()["state"] == "verified"
        (item,) = dpo.get(f"{path}/certificates").json()["items"]
        stated = valid(item["file"])
        assert stated["scope"] == {"kind": "groups", "groups": ["logs"]}
        assert stated["deleted"]["records"] == 1
        assert ages(study) == [7, 42]
        assert dpo.get(f"/subjects/{subject}").json()["state"] == "live"

    def test_refuses_the_main_group(self, study: Study, dpo: Caller) -> None:
        subject, _ = patient(study)

        answer = dpo.post(f"/subjects/{subject}/expiries", {"group": "main"})

        assert (answer.status_code, code(answer)) == (409, "group-not-expirable")

    def test_acts_once_under_one_key(self, study: Study, clinic: Company, dpo: Caller) -> None:
        subject, _ = patient(study)
        put_log(clinic, subject)
        path, body = f"/subjects/{subject}/expiries", {"group": "logs"}

        first = dpo.post(path, body, Idempotency_Key="expire-1")
        again = dpo.post(path, body, Idempotency_Key="expire-1")

        assert first.json() == again.json()
        assert code(dpo.post(path, body)) == "group-not-found"


def put_log(clinic: Company, subject: str) -> None:
    category = {"code": "logs", "name": "Logs", "schema": {"type": "object"}, "key_group": "logs"}
    assert clinic.person("compliance-officer").post("/categories", category).status_code == 201
    body = {"category": "logs", "reference": "l1", "document": {"seen": 1}}
    made = clinic.source().post(f"/subjects/{subject}/records", body)
    assert made.status_code == 201, made.content


def code(answer: Any) -> str:
    return str(answer.json()["code"])


def valid(file: dict[str, Any]) -> dict[str, Any]:
    """What the certificate states, once the verifier that strangers use has passed it."""
    report = verifier.examine(json.dumps(file).encode())
    assert report.verdict == VALID, report.checks
    predicate: dict[str, Any] = report.predicate
    return predicate
