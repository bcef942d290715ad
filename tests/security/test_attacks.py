"""Attacks through the API with credentials that are real, and meant for something else."""

import secrets
from typing import Any
from uuid import UUID

import pytest

from accounts.models import AccessToken, User
from governance.models import Decision, Disclosure, Purpose
from tests.functional.api.cast import Caller, Cast, Company, Study, study, version_body
from tests.functional.api.test_requests import DRAFT, act, asked, released


class TestStreamCredentialForAnotherPurpose:
    @pytest.fixture
    def other(self, cast: Cast, study: Study) -> Study:
        """A second purpose of the same controller, to which nobody consented."""
        study.patient("ada")
        return another(cast)

    def test_opens_no_lease(self, study: Study, other: Study) -> None:
        answer = other.pipeline.post(f"/purposes/{study.purpose}/leases")

        assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")
        assert not Disclosure.objects.exists()

    def test_reads_no_lease_of_the_purpose(self, study: Study, other: Study) -> None:
        lease = study.lease()

        answer = other.pipeline.get(f"/leases/{lease['id']}/records")

        assert answer.status_code in (403, 404)
        assert set(answer.json()) == {"type", "title", "status", "detail", "code", "correlation_id"}
        assert not Disclosure.objects.exists()

    def test_sees_neither_removals_nor_data_of_its_own(self, study: Study, other: Study) -> None:
        own = other.read(other.lease())
        removals = other.pipeline.get(f"/purposes/{study.purpose}/removals")

        assert own == [{"end": True, "complete": True, "records": 0}]
        assert removals.status_code == 403
        assert not Disclosure.objects.exists()

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("get", "/subjects/{subject}"),
            ("get", "/subjects/{subject}/records"),
            ("get", "/subjects/{subject}/consents"),
            ("get", "/requests"),
            ("post", "/subjects/lookup"),
            ("post", "/subjects"),
            ("post", "/consents"),
            ("post", "/requests"),
            ("post", "/categories"),
            ("post", "/purposes"),
        ],
    )
    def test_does_nothing_but_read_its_purpose(
        self, cast: Cast, other: Study, method: str, path: str
    ) -> None:
        where = path.format(subject=cast.subject("ada"))

        answer = getattr(other.pipeline, method)(where)

        assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")


def another(cast: Cast) -> Study:
    return study(cast, code="marketing")


class TestPurposeNamedLikeTheProductsOwnKeys:
    @pytest.mark.parametrize(
        "code", ["custody", "custody-2", "lethe", "lethe-custody", "lookup", "suppression"]
    )
    def test_is_refused(self, clinic: Company, code: str) -> None:
        answer = clinic.person("analyst").post("/purposes", {"code": code, "name": "x"})

        assert (answer.status_code, answer.json()["code"]) == (400, "reserved-code")
        assert not Purpose.objects.exists()

    @pytest.mark.parametrize(
        "code", ["Custody", "custody/", "../custody", "custody\u200b", " custody\n", ""]
    )
    def test_is_refused_in_disguise(self, clinic: Company, code: str) -> None:
        answer = clinic.person("analyst").post("/purposes", {"code": code, "name": "x"})

        assert answer.status_code == 400
        assert not Purpose.objects.exists()

    def test_gets_a_key_that_does_not_depend_on_its_code(self, cast: Cast) -> None:
        named = study(cast, code="p-0000000000000000")

        answer = cast.clinic.person("auditor").get(f"/purposes/{named.purpose}")

        assert answer.json()["code"] == "p-0000000000000000"
        assert answer.json().get("wrapping_key") != "custody"


class TestProgramsThatDecide:
    @pytest.mark.parametrize("path", ["decisions", "approvals", "releases"])
    def test_are_refused(self, cast: Cast, clinic: Company, path: str) -> None:
        request = asked(clinic.source(), cast.subject()).json()
        scopes = ("records:write", "records:read", "requests:write", "registry:write")
        program = clinic.program("source", scopes, "everything")

        answer = act(program, request, path, DRAFT if path == "decisions" else None)

        assert (answer.status_code, answer.json()["code"]) == (403, "person-needed")
        assert not Decision.objects.exists()

    def test_cannot_activate_a_purpose(self, cast: Cast, clinic: Company) -> None:
        program = clinic.program("source", ("registry:write",), "registry")
        program.post("/categories", {"code": "health", "name": "Health", "schema": {}})
        purpose = program.post("/purposes", {"code": "research", "name": "x"}).json()["id"]
        program.post(f"/purposes/{purpose}/versions", version_body())

        answer = program.post(f"/purposes/{purpose}/activations", {"version": 1})

        assert (answer.status_code, answer.json()["code"]) == (403, "person-needed")


class TestTwoAccountsOfOnePerson:
    @pytest.fixture
    def person_id(self, clinic: Company) -> UUID:
        clinic.person("analyst", "eve")
        return User.objects.get(email="eve.analyst@clinic.example").person_id

    @pytest.mark.parametrize("second", ["compliance-officer", "key-custodian"])
    def test_cannot_take_two_steps(
        self, cast: Cast, clinic: Company, person_id: UUID, second: str
    ) -> None:
        request = asked(clinic.source(), cast.subject()).json()
        again = clinic.person(second, "eve2", person_id)
        act(clinic.person("analyst", "eve"), request, "decisions", DRAFT)
        if second == "key-custodian":
            act(clinic.person("compliance-officer"), request, "approvals")

        answer = act(again, request, "releases" if "key" in second else "approvals")

        assert (answer.status_code, answer.json()["code"]) == (403, "separation-of-duties")

    def test_cannot_approve_and_release(self, cast: Cast, clinic: Company, person_id: UUID) -> None:
        request = asked(clinic.source(), cast.subject()).json()
        officer = clinic.person("compliance-officer", "eve3", person_id)
        custodian = clinic.person("key-custodian", "eve4", person_id)
        act(clinic.person("analyst", "al"), request, "decisions", DRAFT)
        assert act(officer, request, "approvals").status_code == 201

        answer = act(custodian, request, "releases")

        assert (answer.status_code, answer.json()["code"]) == (403, "separation-of-duties")
        assert cast.clinic.source().get(f"/subjects/{request['subject_id']}").status_code == 200


class TestTokens:
    def test_stored_values_open_nothing(self, cast: Cast) -> None:
        subject = cast.subject()
        values = [
            str(value)
            for row in AccessToken.objects.values()
            for value in row.values()
            if value not in (None, "")
        ]

        answers = {Caller(value).get(f"/subjects/{subject}").status_code for value in values}

        assert len(values) > 3
        assert answers == {401}

    @pytest.mark.parametrize("token", ["", "x", "Bearer", "null", "0" * 64])
    def test_made_up_ones_open_nothing(self, cast: Cast, token: str) -> None:
        answer = Caller(token).get(f"/subjects/{cast.subject()}")

        assert (answer.status_code, answer.json()["code"]) == (401, "not-authenticated")

    def test_of_a_person_do_not_act_as_a_program(self, cast: Cast, clinic: Company) -> None:
        answers: list[Any] = [
            clinic.person("operator").post("/subjects", {"references": []}),
            clinic.person("auditor").get(f"/subjects/{cast.subject()}/records"),
            clinic.person("analyst").post("/subjects:bulk", secrets.token_hex(4)),
        ]

        assert {answer.status_code for answer in answers} == {403}


class TestErasedSubjects:
    def test_come_back_by_no_route(self, cast: Cast, study: Study) -> None:
        subject = study.patient("ada")
        released(cast, subject)
        cast.run()
        lines = cast.clinic.source().bulk(
            "/subjects:bulk",
            [{"references": [{"kind": "customer-number", "value": "number-of-ada"}]}],
        )

        assert lines[0].get("outcome") != "created"
        assert study.record(subject, age=1).status_code == 410
        assert study.consent(subject).status_code == 410
        assert study.read(study.lease())[-1]["records"] == 0
