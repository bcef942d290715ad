import json

import pytest

from core import runtime
from core.ids import PublicId
from core.models import AuditEvent
from tests.functional.api.cast import (
    NDJSON,
    Cast,
    Company,
    FailsLater,
    Study,
    reference,
    unknown,
)
from vault.models import SealedRecord


def line(name: str, number: int = 1, **document: object) -> dict[str, object]:
    return {
        "subject": reference(name),
        "category": "health",
        "reference": f"r{number}",
        "document": document or {"age": 41},
    }


class TestPutRecord:
    def test_makes_versions_of_one_reference(self, cast: Cast, study: Study) -> None:
        subject = cast.subject("ada")

        created = study.record(subject, age=41)
        unchanged = study.record(subject, age=41)
        updated = study.record(subject, age=42)

        outcomes = [(a.status_code, a.json()["outcome"], a["ETag"]) for a in
                    (created, unchanged, updated)]  # fmt: skip
        assert outcomes == [(201, "created", '"1"'), (200, "unchanged", '"1"'),
                            (200, "updated", '"2"')]  # fmt: skip
        assert created.json()["id"] == updated.json()["id"]

    @pytest.mark.usefixtures("study")
    def test_writes_only_on_the_version_in_if_match(self, cast: Cast) -> None:
        path = f"/subjects/{cast.subject('ada')}/records"
        body = {"category": "health", "reference": "r1", "document": {"age": 1}}
        source = cast.clinic.source()

        stale = source.post(path, body, If_Match='"1"')
        first = source.post(path, body, If_Match='"0"')
        other = source.post(path, body | {"document": {"age": 2}}, If_Match='"0"')

        assert [a.status_code for a in (stale, first, other)] == [412, 201, 412]
        assert stale.json()["code"] == "precondition-failed"

    @pytest.mark.usefixtures("study")
    @pytest.mark.parametrize(
        ("change", "field", "code"),
        [
            ({"category": "none"}, "category", "unknown-category"),
            ({"document": {"age": "old"}}, "document/age", "invalid-document"),
            ({"document": [1]}, "document", "invalid-input"),
            ({"reference": ""}, "reference", "invalid-input"),
        ],
        ids=["category", "schema", "list", "blank"],
    )
    def test_names_the_field_that_is_wrong(
        self, cast: Cast, change: dict[str, object], field: str, code: str
    ) -> None:
        body = {"category": "health", "reference": "r1", "document": {"age": 1}} | change

        answer = cast.clinic.source().post(f"/subjects/{cast.subject()}/records", body)

        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert answer.json()["errors"][0]["field"] == field

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b'{"a": NaN}', "malformed-json"),
            (b'{"a": 1, "a": 2}', "malformed-json"),
            (b"\xff", "malformed-json"),
            (b"[" * 5000, "malformed-json"),
            (b"[]", "invalid-input"),
        ],
        ids=["nan", "twice", "bytes", "deep", "list"],
    )
    def test_refuses_what_is_not_strict_json(self, cast: Cast, body: bytes, code: str) -> None:
        path = f"/subjects/{unknown(PublicId.SUBJECT)}/records"

        answer = cast.clinic.source().send(path, body, "application/json")

        assert (answer.status_code, answer.json()["code"]) == (400, code)

    def test_refuses_a_body_that_is_too_large(self, cast: Cast) -> None:
        path = f"/subjects/{unknown(PublicId.SUBJECT)}/records"

        answer = cast.clinic.source().send(path, b" " * ((1 << 20) + 1), "application/json")

        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")

    def test_never_creates_a_subject(self, study: Study) -> None:
        answer = study.record(unknown(PublicId.SUBJECT), age=1)

        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-subject")

    @pytest.mark.usefixtures("study")
    def test_answers_another_controllers_subject_as_unknown(
        self, cast: Cast, insurer: Company
    ) -> None:
        subject = cast.subject("ada")
        body = {"category": "health", "reference": "r1", "document": {"age": 1}}
        insurer.person("compliance-officer").post(
            "/categories", {"code": "health", "name": "Health", "schema": {"type": "object"}}
        )

        answer = insurer.source().post(f"/subjects/{subject}/records", body)

        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-subject")

    @pytest.mark.usefixtures("study")
    def test_answers_a_repeat_alike(self, cast: Cast) -> None:
        path = f"/subjects/{cast.subject('ada')}/records"
        body = {"category": "health", "reference": "r1", "document": {"age": 1}}

        first = cast.clinic.source().post(path, body, Idempotency_Key="k")
        again = cast.clinic.source().post(path, body, Idempotency_Key="k")

        assert (first.status_code, first.json()) == (again.status_code, again.json())


class TestPutRecords:
    @pytest.mark.usefixtures("study")
    def test_goes_on_when_lines_are_bad(self, cast: Cast) -> None:
        cast.subject("ada")
        lines = [line("ada"), line("nobody"), line("ada", 2, age="x"), line("ada", 3)]

        *outcomes, summary = cast.clinic.source().bulk("/records:bulk", lines)

        assert [o["outcome"] for o in outcomes] == [
            "created", "unknown-subject", "invalid-document", "created",
        ]  # fmt: skip
        assert outcomes[2]["errors"][0]["field"] == "document/age"
        assert [o["line"] for o in outcomes] == [1, 2, 3, 4]
        assert summary["end"] is True
        assert summary["last_processed_line"] == 4

    @pytest.mark.usefixtures("study")
    def test_reads_good_lines_around_broken_ones(self, cast: Cast) -> None:
        cast.subject("ada")
        body = b"\n".join(
            [json.dumps(line("ada")).encode(), b"{broken", b"", json.dumps(line("ada", 2)).encode()]
        )

        answer = cast.clinic.source().send("/records:bulk", body, NDJSON)

        outcomes = [json.loads(text) for text in answer.getvalue().splitlines()]
        assert [(o["line"], o["outcome"]) for o in outcomes[:-1]] == [
            (1, "created"), (2, "malformed-json"), (4, "created"),
        ]  # fmt: skip

    @pytest.mark.usefixtures("study")
    def test_loses_nothing_when_the_key_store_goes_down(
        self, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("governance.api.bulk.BATCH", 2)
        for name in ("ada", "bea", "cle", "dan"):
            cast.subject(name)
        lines = [line(name) for name in ("ada", "bea", "cle", "dan")]

        failing = FailsLater(cast.world.custodian, "make_grants", after=1)
        with runtime.override(custodian=failing):
            *outcomes, summary = cast.clinic.source().bulk("/records:bulk", lines)
        *again, _ = cast.clinic.source().bulk("/records:bulk", lines)

        assert [o["outcome"] for o in outcomes] == ["created"] * 2 + ["key-store-unavailable"] * 2
        assert (summary["code"], summary["last_processed_line"]) == ("key-store-unavailable", 2)
        assert [o["outcome"] for o in again] == ["unchanged"] * 2 + ["created"] * 2
        assert SealedRecord.objects.count() == 4

    def test_accepts_no_other_content_type(self, cast: Cast) -> None:
        answer = cast.clinic.source().send("/records:bulk", "{}", "application/json")

        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")


class TestReadRecords:
    def test_shows_a_source_what_it_sent_itself(self, cast: Cast, study: Study) -> None:
        subject = study.patient("ada")
        other = cast.clinic.source("records:read", name="other")

        own = cast.clinic.source().get(f"/subjects/{subject}/records").json()["items"]
        others = other.get(f"/subjects/{subject}/records").json()["items"]

        assert [(item["category"], item["document"]) for item in own] == [("health", {"age": 41})]
        assert others == []
        assert AuditEvent.objects.filter(action="governance.records.read").count() == 2

    def test_asks_a_person_for_the_case(self, cast: Cast, study: Study) -> None:
        subject, analyst = study.patient("ada"), cast.clinic.person("analyst")
        case = analyst.post(
            "/requests",
            {"kind": "erasure", "subject_id": subject, "ground": "art17-1-a", "channel": "email"},
        ).json()["id"]
        path = f"/subjects/{subject}/records"

        without = analyst.get(path)
        wrong = analyst.get(f"{path}?case={unknown(PublicId.REQUEST)}")
        right = analyst.get(f"{path}?case={case}")

        assert (without.status_code, without.json()["code"]) == (400, "case-needed")
        assert (wrong.status_code, wrong.json()["code"]) == (404, "case-not-found")
        assert right.json()["items"][0]["document"] == {"age": 41}

    @pytest.mark.parametrize("role", ["auditor", "key-custodian", "operator"])
    def test_refuses_roles_without_cases(self, cast: Cast, study: Study, role: str) -> None:
        answer = cast.clinic.person(role).get(f"/subjects/{study.patient('ada')}/records")

        assert (answer.status_code, answer.json()["code"]) == (403, "role-missing")

    def test_refuses_pipelines(self, study: Study) -> None:
        answer = study.pipeline.get(f"/subjects/{study.patient('ada')}/records")

        assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")

    def test_shows_every_version_to_its_source_only(
        self, cast: Cast, study: Study, insurer: Company
    ) -> None:
        subject = study.patient("ada")
        record = study.record(subject, age=42).json()["id"]
        path = f"/records/{record}/versions"

        own = cast.clinic.source().get(path).json()["items"]

        assert [(item["version"], item["document"]["age"]) for item in own] == [(1, 41), (2, 42)]
        for other in (cast.clinic.source("records:read", name="other"), insurer.source()):
            assert other.get(path).json()["code"] == "record-not-found"
