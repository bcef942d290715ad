from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.ids import PublicId
from tests.functional.api.cast import Caller, Cast, Company, Study, reference, unknown
from vault.models import SuppressionTag

DRAFT = {"outcome": "erase", "ground": "art17-1-b"}


def asked(caller: Caller, subject: str, **more: Any) -> Any:
    body = {"kind": "erasure", "subject_id": subject, "ground": "art17-1-b", "channel": "web"}
    return caller.post("/requests", body | more)


def act(caller: Caller, request: Any, path: str, body: Any = None) -> Any:
    """One act on the request as it stands now."""
    shown = caller.get(f"/requests/{request['id']}")
    return caller.post(f"/requests/{request['id']}/{path}", body, If_Match=shown["ETag"])


def released(cast: Cast, subject: str) -> Any:
    """A request that an analyst drafted, an officer approved and a custodian released."""
    request = asked(cast.clinic.source(), subject).json()
    for role, path, body in (
        ("analyst", "decisions", DRAFT),
        ("compliance-officer", "approvals", None),
        ("key-custodian", "releases", None),
    ):
        answer = act(cast.clinic.person(role), request, path, body)
        assert answer.status_code == 201, answer.content
        request = answer.json()
    return request


def statements(caller: Caller, path: str) -> int:
    """How many statements a read takes; the clock looks for its offset now and then."""
    with CaptureQueriesContext(connection) as captured:
        assert caller.get(path).status_code == 200
    return sum("core_clockoffset" not in query["sql"] for query in captured.captured_queries)


class TestListRequests:
    def test_takes_no_more_statements_for_more_requests(self, cast: Cast) -> None:
        auditor = cast.clinic.person("auditor")
        released(cast, cast.subject("ada"))
        auditor.get("/requests")
        one = statements(auditor, "/requests")
        for name in ("bea", "cle", "dan"):
            released(cast, cast.subject(name))

        assert statements(auditor, "/requests") <= one
        assert [len(item["decisions"]) for item in auditor.get("/requests").json()["items"]] == [
            3, 3, 3, 3,
        ]  # fmt: skip


class TestReceiveRequest:
    def test_answers_its_deadline_and_version(self, cast: Cast, clinic: Company) -> None:
        answer = asked(clinic.source(), cast.subject("ada"))

        assert answer.status_code == 201
        assert answer["ETag"] == '"1"'
        assert answer.json()["state"] == "received"
        assert answer.json()["due_on"] > answer.json()["received_at"][:10]

    def test_is_due_on_a_working_day_of_the_controllers_country(
        self, cast: Cast, clinic: Company
    ) -> None:
        answer = asked(clinic.source(), cast.subject("ada"), received_at="2026-03-05T09:00:00Z")

        assert answer.json()["due_on"] == "2026-04-07"  # 5 April is Easter Sunday

    def test_finds_the_subject_by_reference(self, cast: Cast, clinic: Company) -> None:
        subject = cast.subject("ada")
        body = {"kind": "erasure", "subject": reference("ada"), "ground": "art17-1-b",
                "channel": "email"}  # fmt: skip

        answer = clinic.person("analyst").post("/requests", body)

        assert answer.json()["subject_id"] == subject

    @pytest.mark.parametrize("kind", ["access", "rectification", "x"])
    def test_says_which_kinds_it_does_not_support(self, clinic: Company, kind: str) -> None:
        answer = clinic.source().post("/requests", {"kind": kind, "anything": 1})

        assert (answer.status_code, answer.json()["code"]) == (400, "unsupported-kind")

    def test_refuses_a_second_open_one(self, cast: Cast, clinic: Company) -> None:
        subject = cast.subject("ada")
        asked(clinic.source(), subject)

        answer = asked(clinic.source(), subject)

        assert (answer.status_code, answer.json()["code"]) == (409, "request-exists")

    def test_is_shown_to_its_own_controller_only(
        self, cast: Cast, clinic: Company, insurer: Company
    ) -> None:
        request = asked(clinic.source(), cast.subject("ada")).json()
        path = f"/requests/{request['id']}"

        assert clinic.person("auditor").get("/requests").json()["items"] == [request]
        assert insurer.person("auditor").get("/requests").json()["items"] == []
        for answer in (insurer.source().get(path), insurer.source().get(f"{path}/certificates")):
            assert (answer.status_code, answer.json()["code"]) == (404, "request-not-found")


class TestDecisions:
    @pytest.mark.parametrize("path", ["decisions", "approvals", "releases"])
    def test_are_not_made_by_programs(self, cast: Cast, clinic: Company, path: str) -> None:
        request = asked(clinic.source(), cast.subject("ada")).json()

        answer = act(clinic.source(), request, path, DRAFT)

        assert (answer.status_code, answer.json()["code"]) == (403, "person-needed")

    @pytest.mark.parametrize(
        ("role", "path"),
        [
            ("auditor", "decisions"),
            ("dpo", "approvals"),
            ("analyst", "approvals"),
            ("compliance-officer", "releases"),
        ],
    )
    def test_ask_for_the_role(self, cast: Cast, clinic: Company, role: str, path: str) -> None:
        request = asked(clinic.source(), cast.subject("ada")).json()

        answer = act(clinic.person(role), request, path, DRAFT)

        assert (answer.status_code, answer.json()["code"]) == (403, "role-missing")

    def test_ask_for_the_version_last_read(self, cast: Cast, clinic: Company) -> None:
        request = asked(clinic.source(), cast.subject("ada")).json()
        path, analyst = f"/requests/{request['id']}/decisions", clinic.person("analyst")

        without = analyst.post(path, DRAFT)
        stale = analyst.post(path, DRAFT, If_Match='"7"')

        assert (without.status_code, without.json()["code"]) == (428, "precondition-required")
        assert (stale.status_code, stale.json()["code"]) == (412, "precondition-failed")

    def test_count_persons_not_accounts(self, cast: Cast, clinic: Company) -> None:
        request = asked(clinic.source(), cast.subject("ada")).json()
        bo = clinic.person("compliance-officer")
        act(bo, request, "decisions", DRAFT)

        answer = act(bo, request, "approvals")

        assert (answer.status_code, answer.json()["code"]) == (403, "separation-of-duties")

    def test_are_withdrawn_until_released(self, cast: Cast, clinic: Company) -> None:
        request = asked(clinic.source(), cast.subject("ada")).json()

        answer = act(clinic.source(), request, "withdrawal")
        after = act(clinic.person("analyst"), answer.json(), "decisions", DRAFT)

        assert (answer.status_code, answer.json()["state"]) == (200, "withdrawn")
        assert after.status_code == 409

    def test_are_another_controllers_404(
        self, cast: Cast, clinic: Company, insurer: Company
    ) -> None:
        request = asked(clinic.source(), cast.subject("ada")).json()

        answer = insurer.person("analyst").post(
            f"/requests/{request['id']}/decisions", DRAFT, If_Match='"1"'
        )

        assert (answer.status_code, answer.json()["code"]) == (404, "request-not-found")


class TestErasure:
    def test_answers_410_from_the_release_on(self, cast: Cast, study: Study) -> None:
        subject = study.patient("ada")

        released(cast, subject)

        source = cast.clinic.source()
        for answer in (
            source.get(f"/subjects/{subject}"),
            source.get(f"/subjects/{subject}/records"),
            source.get(f"/subjects/{subject}/consents"),
            source.post("/subjects/lookup", reference("ada")),
            source.post("/subjects", {"references": [reference("ada")]}),
            study.record(subject, age=1),
            study.consent(subject),
        ):
            assert (answer.status_code, answer.json()["code"]) == (410, "erased")

    def test_leaves_the_stream_and_ends_in_a_certificate(self, cast: Cast, study: Study) -> None:
        subject, other = study.patient("ada"), study.patient("bea")
        aliases = {line["alias"] for line in study.read(study.lease())[:2]}

        request = released(cast, subject)
        lease = study.lease()
        cast.run()

        shown = cast.clinic.person("dpo").get(f"/requests/{request['id']}").json()
        certificates = cast.clinic.source().get(f"/requests/{request['id']}/certificates").json()
        removed = study.pipeline.get(f"/purposes/{study.purpose}/removals").json()["items"]
        assert other
        assert lease["exclusions"]["erased"] == 1
        assert [line.get("alias") in aliases for line in study.read(lease)] == [True, False]
        assert (shown["state"], shown["subject_id"]) == ("certified", None)
        assert [item["kind"] for item in certificates["items"]] == ["interim"]
        assert certificates["irrecoverable_from"] == {
            "state": "pending", "at": None, "reason": "backup-inventory-missing",
        }  # fmt: skip
        assert [item["reason"] for item in removed] == ["erased"]

    def test_suppresses_references_until_the_source_acknowledges(
        self, cast: Cast, study: Study
    ) -> None:
        released(cast, study.patient("ada"))
        cast.run()
        source, other = cast.clinic.source(), cast.clinic.source("records:write", name="other")
        path, body = "/suppressions/acknowledgements", {"reference": reference("ada")}

        not_theirs = other.post(path, body)
        before = source.post("/subjects", {"references": [reference("ada")]})
        done = source.post(path, body)
        after = source.post("/subjects", {"references": [reference("ada")]})

        assert (not_theirs.status_code, not_theirs.json()["code"]) == (404, "nothing-suppressed")
        assert before.status_code == 410
        assert (done.status_code, done.json()) == (201, {"deleted": 1})
        assert after.status_code == 201
        assert not SuppressionTag.objects.exists()


class TestPublicKeys:
    def test_are_open_to_everybody(self, cast: Cast, study: Study) -> None:
        released(cast, study.patient("ada"))
        cast.run()
        nobody = Caller("")
        nobody.headers = {}

        answer = nobody.http.get("/.well-known/lethe-keys")

        assert answer.status_code == 200
        assert answer.json()["keys"][0]["algorithm"] == "ed25519"


class TestUnknownRoutes:
    def test_answer_a_problem(self, clinic: Company) -> None:
        answer = clinic.source().get(f"/nothing/{unknown(PublicId.SUBJECT)}")

        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
