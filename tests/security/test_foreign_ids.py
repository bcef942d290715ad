"""The attack: a controller calls every route with ids of another controller."""

import json
import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from core.ids import PublicId
from governance.api.urls import stream_urlpatterns, web_urlpatterns
from tests.functional.api.cast import (
    SCHEMA,
    Caller,
    Company,
    Study,
    consent_body,
    reference,
    unknown,
    version_body,
)
from tests.functional.api.test_mass_acts import drafted
from tests.functional.api.test_rekeys import put_log
from tests.functional.api.test_requests import DRAFT, released

RECORD = {"category": "health", "reference": "r1", "document": {"age": 7}}
#: Bodies of the routes that change something, by route and kind of method.
BODIES: dict[str, Any] = {
    "subjects/<subject_id>/records": RECORD,
    "purposes/<purpose_id>/versions": version_body(),
    "purposes/<purpose_id>/activations": {"version": 1},
    "purposes/<purpose_id>/removals/acknowledgements": {"up_to": str(uuid4())},
    "requests/<request_id>/decisions": DRAFT,
    "subjects/<subject_id>/rekeys": {"reason": "leak"},
    "subjects/<subject_id>/expiries": {"group": "logs"},
}
#: People open data for a case only.
CASE_ROUTES = ("subjects/<subject_id>/records", "records/<record_id>/versions")
ROLES = ("analyst", "compliance-officer", "dpo", "auditor", "key-custodian", "source-admin")
PARAMETER = re.compile(r"<str:(\w+)_id>")
ROUTES = sorted(
    PARAMETER.sub(r"<\1_id>", str(pattern.pattern))
    for pattern in [*web_urlpatterns, *stream_urlpatterns]
    if "<" in str(pattern.pattern)
)


@dataclass
class Owned:
    """One thing of each kind that a route can name."""

    ids: dict[str, str]

    def path(self, route: str) -> str:
        return "/" + re.sub(r"<(\w+)_id>", lambda found: self.ids[found[1]], route)

    def named(self, text: str) -> str:
        """`text` with the kind in the place of each id: an answer may repeat what was asked."""
        for kind, public_id in self.ids.items():
            text = text.replace(public_id, kind)
        return text


@pytest.fixture
def owned(study: Study) -> Owned:
    clinic, subject = study.cast.clinic, study.patient("ada")
    record = clinic.source().get(f"/subjects/{subject}/records").json()["items"][0]["id"]
    category = clinic.source().get("/categories").json()["items"][0]["id"]
    body = {"kind": "erasure", "subject_id": subject, "ground": "art17-1-b", "channel": "web"}
    request = clinic.source().post("/requests", body).json()["id"]
    return Owned(
        {
            "subject": subject,
            "record": record,
            "category": category,
            "purpose": study.purpose,
            "request": request,
            "consent": study.consent(subject).json()["id"],
            "lease": study.lease()["id"],
            "erasure": expiry(clinic, subject),
            "rekey": rekey(clinic, subject),
            "lock": hold(clinic, subject),
            "mass_act": drafted(clinic, clinic.source()).json()["id"],
        }
    )


def rekey(company: Company, subject: str) -> str:
    answer = company.person("dpo").post(f"/subjects/{subject}/rekeys", {"reason": "leak"})
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def expiry(company: Company, subject: str) -> str:
    put_log(company, subject)
    answer = company.person("dpo").post(f"/subjects/{subject}/expiries", {"group": "logs"})
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def hold(company: Company, subject: str) -> str:
    body = {"scope": "subject", "scope_id": subject, "ground": "art17-3-e"}
    answer = company.person("compliance-officer").post("/holds", body)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


@pytest.fixture
def unowned() -> Owned:
    of_kind = {kind.name.lower(): unknown(kind) for kind in PublicId}
    return Owned(of_kind)


def callers(company: Company, *purposes: str) -> list[Caller]:
    """Everybody at the company, and a program that claims purposes of others."""
    company.person("compliance-officer").post(
        "/categories", {"code": "health", "name": "Health", "schema": SCHEMA}
    )
    scopes = [f"purpose:{purpose}:read" for purpose in purposes]
    return [
        company.source(),
        company.program("pipeline", scopes, "pipeline"),
        *(company.person(role) for role in ROLES),
    ]


def methods(route: str) -> list[str]:
    pattern = next(
        found
        for found in [*web_urlpatterns, *stream_urlpatterns]
        if PARAMETER.sub(r"<\1_id>", str(found.pattern)) == route
    )
    view: Any = pattern.callback
    return [name for name in ("get", "post", "put", "patch", "delete") if name in vars(view.cls)]


def answer(caller: Caller, method: str, route: str, ids: Owned) -> tuple[int, str]:
    """Status and body, less what differs in every answer."""
    path = ids.path(route)
    if method == "get":
        found = caller.get(f"{path}?case={ids.ids['request']}" if route in CASE_ROUTES else path)
    else:
        found = caller.post(path, BODIES.get(route), If_Match='"1"')
    if not found.headers["Content-Type"].endswith("json"):
        return found.status_code, found.getvalue().decode()
    body = found.json()
    body.pop("correlation_id", None)
    return found.status_code, ids.named(json.dumps(body))


class TestEveryRoute:
    def test_that_takes_an_id_is_attacked(self, owned: Owned) -> None:
        assert len(ROUTES) >= 20
        assert {found for route in ROUTES for found in re.findall(r"<(\w+)_id>", route)} == set(
            owned.ids
        )

    @pytest.mark.parametrize("route", ROUTES)
    def test_answers_404_as_to_an_id_that_names_nothing(
        self, owned: Owned, unowned: Owned, insurer: Company, route: str
    ) -> None:
        attackers = callers(insurer, owned.ids["purpose"], unowned.ids["purpose"])
        tried = methods(route)

        for method in tried:
            answers = [answer(caller, method, route, owned) for caller in attackers]
            unknowns = [answer(caller, method, route, unowned) for caller in attackers]

            assert answers == unknowns
            assert 404 in {status for status, _ in answers}
            assert {status for status, _ in answers} <= {403, 404}
        assert tried

    def test_answers_its_own_controller(self, owned: Owned, clinic: Company) -> None:
        people = [clinic.source(), *(clinic.person(role) for role in ROLES)]
        shown = [
            route
            for route in ROUTES
            if "get" in methods(route)
            and any(answer(caller, "get", route, owned)[0] == 200 for caller in people)
        ]

        assert len(shown) >= 8


class TestForeignIdsInBodies:
    def test_name_no_subject(self, owned: Owned, insurer: Company) -> None:
        subject, source = owned.ids["subject"], insurer.source()
        callers(insurer, owned.ids["purpose"])
        request = {"kind": "erasure", "ground": "art17-1-b", "channel": "web"}

        asked = source.post("/requests", {**request, "subject_id": subject})
        never = source.post("/requests", {**request, "subject_id": unknown(PublicId.SUBJECT)})
        lines = source.bulk("/records:bulk", [{**RECORD, "subject_id": subject}])
        found = source.post("/subjects/lookup", reference("ada"))

        assert (asked.status_code, never.status_code, found.status_code) == (404, 404, 404)
        assert asked.json()["code"] == never.json()["code"]
        assert "sealed" not in str(lines[0])
        assert lines[0].get("record_id") is None

    def test_give_no_consent(self, owned: Owned, insurer: Company, study: Study) -> None:
        mine = insurer.source().post("/subjects", {"references": [reference("ida")]}).json()["id"]
        for subject, purpose in (
            (owned.ids["subject"], owned.ids["purpose"]),
            (mine, owned.ids["purpose"]),
        ):
            consent = consent_body(purpose, subject_id=subject)
            refused = insurer.source().post("/consents", consent)
            (line, _end) = insurer.source().bulk("/consents:bulk", [consent])

            assert refused.status_code == 404
            assert "granted" not in str(line)

    def test_cannot_erase_through_the_other_s_requests(
        self, owned: Owned, insurer: Company, study: Study
    ) -> None:
        subject = insurer.source().post("/subjects", {"references": [reference("ada")]}).json()

        released(study.cast, study.patient("bea"))

        assert insurer.source().get(f"/subjects/{subject['id']}").status_code == 200
        assert insurer.person("auditor").get("/requests").json()["items"] == []
