import json
from datetime import timedelta

import pytest

from core import clock
from core.ids import PublicId
from governance.models import ConsentRecord
from tests.functional.api.cast import (
    SCHEMA,
    Cast,
    Company,
    Study,
    consent_body,
    reference,
    unknown,
    version_body,
)


class TestCategories:
    def test_are_kept_with_their_schema(self, clinic: Company) -> None:
        officer = clinic.person("compliance-officer")

        made = officer.post("/categories", {"code": "health", "name": "Health", "schema": SCHEMA})
        shown = clinic.source().get(f"/categories/{made.json()['id']}")

        assert made.status_code == 201
        assert shown.json() == made.json()
        assert shown.json()["key_group"] == "main"

    def test_refuse_a_code_twice_and_a_schema_that_is_none(self, clinic: Company) -> None:
        officer = clinic.person("compliance-officer")
        body = {"code": "health", "name": "Health", "schema": SCHEMA}
        officer.post("/categories", body)

        twice = officer.post("/categories", body)
        bad = officer.post("/categories", body | {"code": "b", "schema": {"type": "string"}})

        assert (twice.status_code, twice.json()["code"]) == (409, "category-exists")
        assert (bad.status_code, bad.json()["errors"][0]["field"]) == (400, "schema")

    def test_are_listed_page_by_page(self, clinic: Company, insurer: Company) -> None:
        officer = clinic.person("compliance-officer")
        for code in ("a", "b", "c"):
            officer.post("/categories", {"code": code, "name": code, "schema": SCHEMA})

        first = clinic.source().get("/categories?limit=2").json()
        last = clinic.source().get(f"/categories?limit=2&after={first['next']}").json()
        stolen = insurer.source().get(f"/categories?after={first['next']}")

        assert [item["code"] for item in first["items"] + last["items"]] == ["a", "b", "c"]
        assert last["next"] is None
        assert (stolen.status_code, stolen.json()["code"]) == (400, "invalid-cursor")

    @pytest.mark.parametrize("role", ["dpo", "auditor", "operator"])
    def test_refuse_roles_that_only_look(self, clinic: Company, role: str) -> None:
        answer = clinic.person(role).post(
            "/categories", {"code": "health", "name": "Health", "schema": SCHEMA}
        )

        assert (answer.status_code, answer.json()["code"]) == (403, "role-missing")


class TestPurposes:
    def test_are_activated_by_another_person(self, cast: Cast) -> None:
        officer, clinic = cast.clinic.person("compliance-officer"), cast.clinic
        officer.post("/categories", {"code": "health", "name": "Health", "schema": SCHEMA})
        purpose = officer.post("/purposes", {"code": "research", "name": "Research"}).json()["id"]
        drafted = officer.post(f"/purposes/{purpose}/versions", version_body())

        path, read = f"/purposes/{purpose}/activations", {"version": 1}
        own = officer.post(path, read)
        other = clinic.person("compliance-officer", "cleo").post(path, read)

        assert drafted.json()["categories"] == {"health": ["age"]}
        assert (own.status_code, own.json()["code"]) == (403, "separation-of-duties")
        assert other.status_code == 201
        assert clinic.source().get(f"/purposes/{purpose}").json()["state"] == "active"

    def test_are_not_activated_by_programs(self, cast: Cast) -> None:
        purpose = cast.clinic.person("analyst").post(
            "/purposes", {"code": "research", "name": "Research"}
        )

        answer = cast.clinic.source("registry:write").post(
            f"/purposes/{purpose.json()['id']}/activations", {"version": 1}
        )

        assert (answer.status_code, answer.json()["code"]) == (403, "person-needed")

    @pytest.mark.parametrize("body", [{}, {"version": "one"}, {"version": 0}, {"version": None}])
    def test_are_activated_by_who_names_the_version(
        self, study: Study, body: dict[str, object]
    ) -> None:
        officer = study.cast.clinic.person("compliance-officer")

        answer = officer.post(f"/purposes/{study.purpose}/activations", body)

        assert answer.status_code == 400
        assert [error["field"] for error in answer.json()["errors"]] == ["version"]

    @pytest.mark.parametrize(
        ("version", "code"),
        [(1, "nothing-to-activate"), (2, "version-superseded"), (4, "nothing-to-activate")],
        ids=["active", "superseded", "never drafted"],
    )
    def test_put_no_other_version_in_force_than_was_read(
        self, study: Study, version: int, code: str
    ) -> None:
        clinic, path = study.cast.clinic, f"/purposes/{study.purpose}"
        for days in (30, 20):
            body = version_body(retention_days=days)
            clinic.person("analyst", "al").post(f"{path}/versions", body)
        officer = clinic.person("compliance-officer")

        answer = officer.post(f"{path}/activations", {"version": version})

        assert (answer.status_code, answer.json()["code"]) == (409, code)
        assert clinic.source().get(path).json()["current"]["number"] == 1
        assert officer.post(f"{path}/activations", {"version": 3}).status_code == 201

    def test_cannot_be_named_like_custody(self, clinic: Company) -> None:
        answer = clinic.person("analyst").post("/purposes", {"code": "custody", "name": "x"})

        assert (answer.status_code, answer.json()["code"]) == (400, "reserved-code")

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"lawful_basis": "because"}, "lawful_basis"),
            ({"categories": {}}, "categories"),
            ({"categories": {"none": ["*"]}}, "categories"),
            ({"retention_days": 0}, "retention_days"),
        ],
        ids=["basis", "empty", "unknown", "retention"],
    )
    def test_name_the_field_of_a_version_that_is_wrong(
        self, study: Study, change: dict[str, object], field: str
    ) -> None:
        answer = study.cast.clinic.person("analyst", "al").post(
            f"/purposes/{study.purpose}/versions", version_body() | change
        )

        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == field

    def test_are_another_controllers_404(self, study: Study, insurer: Company) -> None:
        analyst, officer = insurer.person("analyst"), insurer.person("compliance-officer")
        path = f"/purposes/{study.purpose}"

        read = {"version": 1}

        for answer in (analyst.get(path), officer.post(f"{path}/activations", read)):
            assert (answer.status_code, answer.json()["code"]) == (404, "purpose-not-found")

    def test_are_shown_again_for_a_repeat(self, clinic: Company) -> None:
        body = {"code": "research", "name": "Research"}
        analyst = clinic.person("analyst")

        first = analyst.post("/purposes", body, Idempotency_Key="k")
        again = analyst.post("/purposes", body, Idempotency_Key="k")

        assert (again.status_code, again.json()) == (201, first.json())


class TestConsents:
    def test_given_lets_the_purpose_read(self, cast: Cast, study: Study) -> None:
        answer = study.consent(cast.subject("ada"))

        assert answer.status_code == 201
        assert answer.json()["access"] == "granted"
        assert answer.json()["id"].startswith("cns_")

    def test_wait_for_the_key_store(self, cast: Cast, study: Study) -> None:
        subject = cast.subject("ada")
        cast.world.custodian.is_down = True

        answer = study.consent(subject)

        assert (answer.status_code, answer.json()["access"]) == (201, "pending")

    def test_are_listed_for_the_subject(self, cast: Cast, study: Study, insurer: Company) -> None:
        subject = cast.subject("ada")
        study.consent(subject)
        study.consent(subject, "withdrawn")

        listed = cast.clinic.source().get(f"/subjects/{subject}/consents").json()["items"]

        assert [item["decision"] for item in listed] == ["given", "withdrawn"]
        assert insurer.source().get(f"/subjects/{subject}/consents").status_code == 404

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"decision": "maybe"}, "decision"),
            ({"text_digest": "x"}, "text_digest"),
            ({"purpose_id": "pur_x"}, "purpose_id"),
            ({"subject_id": None}, "subject_id"),
        ],
        ids=["decision", "digest", "purpose", "subject"],
    )
    def test_name_the_field_that_is_wrong(
        self, cast: Cast, study: Study, change: dict[str, object], field: str
    ) -> None:
        body = consent_body(study.purpose, subject_id=cast.subject()) | change

        answer = cast.clinic.source().post("/consents", body)

        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == field

    def test_cannot_be_decided_tomorrow(self, cast: Cast, study: Study) -> None:
        tomorrow = (clock.now() + timedelta(days=1)).isoformat()
        body = consent_body(study.purpose, subject_id=cast.subject(), decided_at=tomorrow)

        answer = cast.clinic.source().post("/consents", body)

        assert (answer.status_code, answer.json()["code"]) == (400, "decided-in-future")

    def test_go_on_in_bulk_when_a_line_is_bad(self, cast: Cast, study: Study) -> None:
        cast.subject("ada")
        lines = [
            consent_body(study.purpose, subject=reference("ada")),
            consent_body(study.purpose, subject=reference("nobody")),
            consent_body(unknown(PublicId.PURPOSE), subject=reference("ada")),
        ]

        *outcomes, summary = cast.clinic.source().bulk("/consents:bulk", lines)

        assert [o["outcome"] for o in outcomes] == [
            "recorded", "unknown-subject", "purpose-not-found",
        ]  # fmt: skip
        assert outcomes[0]["access"] == "granted"
        assert summary["processed"] == 3

    def test_are_shown_again_for_a_repeat(self, cast: Cast, study: Study) -> None:
        body = consent_body(study.purpose, subject_id=cast.subject("ada"))

        first = cast.clinic.source().post("/consents", body, Idempotency_Key="k")
        again = cast.clinic.source().post("/consents", body, Idempotency_Key="k")

        assert json.loads(again.content) == first.json()
        assert ConsentRecord.objects.count() == 1
