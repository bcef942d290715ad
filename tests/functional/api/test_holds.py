from typing import Any
from uuid import UUID

import pytest

from accounts.models import User
from core import failpoints, ids
from core.ids import PublicId
from core.models import AuditEvent
from tests.functional.api.cast import Cast, Company, Study, unknown
from tests.functional.api.test_requests import released
from vault.models import ShredLock

ON_ALL = {"scope": "controller", "ground": "art17-3-b"}

NOBODYS = ids.format(PublicId.LOCK, UUID(int=1))


def on(scope: str, scope_id: str) -> dict[str, str]:
    return {"scope": scope, "scope_id": scope_id, "ground": "art17-3-e"}


def placed(clinic: Company, body: dict[str, str]) -> Any:
    answer = clinic.person("compliance-officer").post("/holds", body)
    assert answer.status_code == 201, answer.content
    return answer.json()


class Stopped(BaseException):
    """Stands for the end of the eraser's process."""


def stop_after_order(point: str) -> None:
    if point == "vault.shred.after-order":
        raise Stopped


class TestPlaceHold:
    def test_blocks_a_request_under_way(self, cast: Cast, clinic: Company) -> None:
        subject = cast.subject()
        request = released(cast, subject)

        hold = placed(clinic, on("subject", subject))
        cast.run()

        path = f"/requests/{request['id']}"
        assert (hold["scope"], hold["scope_id"], hold["lifted_at"]) == ("subject", subject, None)
        assert hold["placed_by"].startswith("psn_")
        assert clinic.person("auditor").get(path).json()["state"] == "blocked"
        assert clinic.source().get(f"/subjects/{subject}").status_code == 200

    def test_names_category_purpose_or_all_of_the_controller(
        self, clinic: Company, study: Study
    ) -> None:
        category = clinic.source().get("/categories").json()["items"][0]["id"]
        for body in (on("category", category), on("purpose", study.purpose), ON_ALL):
            assert placed(clinic, body)["scope_id"] == body.get("scope_id")

    def test_is_too_late_once_the_destruction_is_ordered(self, cast: Cast, clinic: Company) -> None:
        subject = cast.subject()
        request = released(cast, subject)
        with failpoints.installed(stop_after_order), pytest.raises(Stopped):
            cast.run()

        answer = clinic.person("compliance-officer").post("/holds", on("subject", subject))

        assert (answer.status_code, answer.json()["code"]) == (409, "too-late")
        assert answer.json()["context"] == {"erasure": request["erasure_id"]}
        assert not ShredLock.objects.exists()
        assert AuditEvent.objects.filter(action="governance.hold.refused").exists()

    @pytest.mark.parametrize("path", ["/holds", f"/holds/{NOBODYS}/lifts"])
    def test_and_lift_are_done_by_people(self, clinic: Company, path: str) -> None:
        scopes = ("records:write", "records:read", "requests:write", "registry:write")
        program = clinic.program("source", scopes, "everything")

        answer = program.post(path, ON_ALL if path == "/holds" else None)

        assert (answer.status_code, answer.json()["code"]) == (403, "person-needed")
        assert not ShredLock.objects.exists()

    @pytest.mark.parametrize("role", ["analyst", "dpo", "auditor", "key-custodian", "operator"])
    def test_takes_a_compliance_officer(self, clinic: Company, role: str) -> None:
        answer = clinic.person(role).post("/holds", ON_ALL)

        assert (answer.status_code, answer.json()["code"]) == (403, "role-missing")

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"scope": "everything"}, "scope"),
            ({"ground": "Ada Lovelace sues us"}, "ground"),
            ({"scope": "subject"}, "scope_id"),
            ({"scope_id": "ctl_1"}, "scope_id"),
            ({"scope": "purpose", "scope_id": unknown(PublicId.SUBJECT)}, "scope_id"),
            ({"until": "2027-01-01"}, "until"),
        ],
    )
    def test_names_the_field_that_is_wrong(
        self, clinic: Company, change: dict[str, str], field: str
    ) -> None:
        answer = clinic.person("compliance-officer").post("/holds", ON_ALL | change)

        assert answer.status_code == 400
        assert [error["field"] for error in answer.json()["errors"]] == [field]
        assert "Ada" not in answer.content.decode()

    @pytest.mark.parametrize(
        ("scope", "kind"),
        [("subject", PublicId.SUBJECT), ("category", PublicId.CATEGORY),
         ("purpose", PublicId.PURPOSE)],
    )  # fmt: skip
    def test_finds_nothing_of_others(self, clinic: Company, scope: str, kind: PublicId) -> None:
        answer = clinic.person("compliance-officer").post("/holds", on(scope, unknown(kind)))

        assert (answer.status_code, answer.json()["code"]) == (404, f"{scope}-not-found")

    def test_is_410_for_who_is_erased(self, cast: Cast, clinic: Company) -> None:
        subject = cast.subject()
        released(cast, subject)
        cast.run()

        answer = clinic.person("compliance-officer").post("/holds", on("subject", subject))

        assert (answer.status_code, answer.json()["code"]) == (410, "erased")


class TestListHolds:
    def test_shows_those_in_force_page_by_page(self, clinic: Company, study: Study) -> None:
        first, second, third = (
            placed(clinic, body)
            for body in (ON_ALL, on("purpose", study.purpose), ON_ALL | {"ground": "art17-3-e"})
        )
        clinic.person("dpo").post(f"/holds/{second['id']}/lifts")
        auditor = clinic.person("auditor")

        page = auditor.get("/holds?limit=1").json()
        rest = auditor.get(f"/holds?limit=5&after={page['next']}").json()

        assert page["items"] + rest["items"] == [first, third]
        assert rest["next"] is None

    def test_shows_nothing_of_others_and_nothing_to_programs(
        self, clinic: Company, insurer: Company
    ) -> None:
        placed(clinic, ON_ALL)

        assert insurer.person("dpo").get("/holds").json()["items"] == []
        assert clinic.source().get("/holds").status_code == 403


class TestLiftHold:
    def test_lets_the_request_be_released_again(self, cast: Cast, clinic: Company) -> None:
        subject = cast.subject()
        request = released(cast, subject)
        hold = placed(clinic, on("subject", subject))

        lifted = clinic.person("dpo").post(f"/holds/{hold['id']}/lifts")
        custodian, path = clinic.person("key-custodian"), f"/requests/{request['id']}"
        again = custodian.post(f"{path}/releases", If_Match=custodian.get(path)["ETag"])
        cast.run()

        assert lifted.status_code == 201
        assert lifted.json()["lifted_at"] is not None
        assert lifted.json()["lifted_by"] != hold["placed_by"]
        assert again.status_code == 201
        assert clinic.source().get(f"/subjects/{subject}").status_code == 410

    def test_a_second_time_changes_nothing(self, clinic: Company) -> None:
        path = f"/holds/{placed(clinic, ON_ALL)['id']}/lifts"

        first, second = (clinic.person("dpo", name).post(path) for name in ("bo", "cleo"))

        assert (second.status_code, second.json()) == (201, first.json())

    @pytest.mark.parametrize("role", ["analyst", "compliance-officer", "auditor"])
    def test_takes_the_data_protection_officer(self, clinic: Company, role: str) -> None:
        hold = placed(clinic, ON_ALL)

        answer = clinic.person(role, "eve").post(f"/holds/{hold['id']}/lifts")

        assert (answer.status_code, answer.json()["code"]) == (403, "role-missing")

    def test_is_refused_to_who_placed_it_under_another_account(self, clinic: Company) -> None:
        hold = placed(clinic, ON_ALL)
        email = "bo.compliance-officer@clinic.example"
        person: UUID = User.objects.get(email=email).person_id

        answer = clinic.person("dpo", "bo2", person).post(f"/holds/{hold['id']}/lifts")

        assert (answer.status_code, answer.json()["code"]) == (403, "separation-of-duties")
        assert ShredLock.objects.get().lifted_at is None

    def test_finds_no_hold_of_others(self, clinic: Company, insurer: Company) -> None:
        hold = placed(clinic, ON_ALL)

        answer = insurer.person("dpo").post(f"/holds/{hold['id']}/lifts")

        assert (answer.status_code, answer.json()["code"]) == (404, "lock-not-found")
