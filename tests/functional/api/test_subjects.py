import pytest

from core import runtime
from core.ids import PublicId
from tests.functional.api.cast import Cast, Company, FailsLater, reference, unknown


class TestCreateSubject:
    def test_answers_an_opaque_id(self, clinic: Company) -> None:
        answer = clinic.source().post("/subjects", {"references": [reference("ada")]})

        assert answer.status_code == 201
        assert answer.json()["outcome"] == "created"
        assert answer.json()["id"].startswith("sub_")
        assert "no-store" in answer["Cache-Control"]

    def test_answers_the_same_subject_for_a_known_reference(self, clinic: Company) -> None:
        body = {"references": [reference("ada")]}

        first = clinic.source().post("/subjects", body)
        second = clinic.source().post("/subjects", body)

        assert second.status_code == 200
        assert second.json() == {"id": first.json()["id"], "outcome": "existing"}

    def test_keeps_controllers_apart(self, clinic: Company, insurer: Company) -> None:
        body = {"references": [reference("ada")]}

        ours = clinic.source().post("/subjects", body).json()["id"]
        theirs = insurer.source().post("/subjects", body).json()["id"]

        assert ours != theirs

    def test_refuses_references_of_two_subjects(self, cast: Cast, clinic: Company) -> None:
        cast.subject("ada")
        cast.subject("bea")

        answer = clinic.source().post(
            "/subjects", {"references": [reference("ada"), reference("bea")]}
        )

        assert (answer.status_code, answer.json()["code"]) == (409, "references-conflict")

    def test_names_the_field_that_is_wrong(self, clinic: Company) -> None:
        answer = clinic.source().post("/subjects", {"references": [{"kind": "E Mail"}]})

        fields = {error["field"] for error in answer.json()["errors"]}
        assert answer.status_code == 400
        assert fields == {"references.0.kind", "references.0.value"}

    def test_refuses_fields_it_does_not_know(self, clinic: Company) -> None:
        answer = clinic.source().post(
            "/subjects", {"references": [reference("ada")], "nmae": "Ada"}
        )

        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] == "unknown-field"

    def test_refuses_a_token_without_the_scope(self, clinic: Company) -> None:
        answer = clinic.source("consent:write").post(
            "/subjects", {"references": [reference("ada")]}
        )

        assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")

    def test_refuses_other_content_types(self, clinic: Company) -> None:
        answer = clinic.source().send("/subjects", "kind=a", "application/x-www-form-urlencoded")

        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")

    def test_loses_nothing_while_the_key_store_is_down(self, cast: Cast, clinic: Company) -> None:
        body = {"references": [reference("ada")]}
        cast.world.custodian.is_down = True

        down = clinic.source().post("/subjects", body)
        cast.world.custodian.is_down = False
        up = clinic.source().post("/subjects", body)

        assert (down.status_code, down.json()["code"]) == (503, "key-store-unavailable")
        assert int(down["Retry-After"]) > 0
        assert up.status_code == 201


class TestIdempotencyKey:
    def test_answers_a_repeat_alike(self, clinic: Company) -> None:
        body = {"references": [reference("ada")]}

        first = clinic.source().post("/subjects", body, Idempotency_Key="k1")
        second = clinic.source().post("/subjects", body, Idempotency_Key="k1")

        assert (second.status_code, second.json()) == (201, first.json())

    def test_refuses_another_body(self, clinic: Company) -> None:
        clinic.source().post("/subjects", {"references": [reference("ada")]}, Idempotency_Key="k1")

        answer = clinic.source().post(
            "/subjects", {"references": [reference("bea")]}, Idempotency_Key="k1"
        )

        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency-key-reused")


class TestCreateSubjects:
    def test_goes_on_when_a_line_is_bad(self, clinic: Company) -> None:
        lines = [
            {"references": [reference("ada")]},
            {"references": []},
            {"references": [reference("bea")]},
        ]

        first, bad, last, summary = clinic.source().bulk("/subjects:bulk", lines)

        assert (first["line"], first["outcome"]) == (1, "created")
        assert (bad["line"], bad["outcome"]) == (2, "invalid-input")
        assert bad["errors"][0]["field"] == "references"
        assert (last["line"], last["outcome"]) == (3, "created")
        assert summary["outcomes"] == {"created": 2, "invalid-input": 1}

    def test_says_which_lines_an_outage_left_over(
        self, cast: Cast, clinic: Company, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("governance.api.bulk.BATCH", 500)
        lines = [{"references": [reference(f"person-{n}")]} for n in range(600)]
        failing = FailsLater(cast.world.custodian, "create_shares", after=1)

        with runtime.override(custodian=failing):
            *outcomes, summary = clinic.source().bulk("/subjects:bulk", lines)

        assert {line["outcome"] for line in outcomes[:500]} == {"created"}
        assert {line["outcome"] for line in outcomes[500:]} == {"key-store-unavailable"}
        assert summary["last_processed_line"] == 500
        assert summary["code"] == "key-store-unavailable"

    def test_answers_503_when_nothing_was_processed(self, cast: Cast, clinic: Company) -> None:
        cast.world.custodian.is_down = True

        answer = clinic.source().send(
            "/subjects:bulk", '{"references":[{"kind":"a","value":"b"}]}', "application/x-ndjson"
        )

        assert (answer.status_code, answer.json()["code"]) == (503, "key-store-unavailable")


class TestLookup:
    def test_finds_a_subject_by_its_reference(self, cast: Cast, clinic: Company) -> None:
        subject = cast.subject("ada")

        answer = clinic.source().post("/subjects/lookup", reference("ada"))

        assert answer.json() == {"id": subject, "state": "live"}

    def test_does_not_find_another_controllers(self, cast: Cast, insurer: Company) -> None:
        cast.subject("ada")

        answer = insurer.source().post("/subjects/lookup", reference("ada"))

        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-subject")


class TestGetSubject:
    def test_answers_another_controllers_as_unknown(
        self, cast: Cast, clinic: Company, insurer: Company
    ) -> None:
        subject = cast.subject("ada")

        ours = clinic.source().get(f"/subjects/{subject}")
        theirs = insurer.source().get(f"/subjects/{subject}")
        nobody = clinic.source().get(f"/subjects/{unknown(PublicId.SUBJECT)}")

        assert ours.json() == {"id": subject, "state": "live"}
        assert theirs.status_code == nobody.status_code == 404
        assert theirs.json()["code"] == nobody.json()["code"] == "subject-not-found"

    def test_names_a_malformed_id(self, clinic: Company) -> None:
        answer = clinic.source().get("/subjects/ada@clinic.example")

        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-identifier")
        assert answer.json()["errors"][0]["field"] == "subject_id"

    def test_needs_a_token(self, clinic: Company) -> None:
        caller = clinic.source()
        caller.headers = {}

        answer = caller.get(f"/subjects/{unknown(PublicId.SUBJECT)}")

        assert (answer.status_code, answer.json()["code"]) == (401, "not-authenticated")
