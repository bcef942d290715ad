"""A whole source erased and a whole purpose retired: who may, who is spared, what stays true."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from accounts.models import AccessToken, User
from core import clock, effects, failpoints
from core.ids import PublicId
from core.models import AuditEvent, Effect
from core.unit_of_work import unit_of_work
from governance.models import Certificate, MassAct, Purpose, SubjectRequest
from governance.services import mass_running
from tests.fakes.points import Killed
from tests.functional.api.cast import Caller, Cast, Company, Study, reference, unknown
from tests.functional.api.test_requests import asked
from vault.domain.gate import Reason
from vault.models import Alias, KeyGrant, Removal, Subject
from vault.services import gate

GROUND = "art17-1-a"


def client_id(caller: Caller) -> str:
    token = sha256(caller.headers["Authorization"].removeprefix("Bearer ").encode()).hexdigest()
    return str(AccessToken.objects.get(token_checksum=token).application.client_id)


def close() -> None:
    """Close the gate, as after a restore."""
    with unit_of_work():
        gate.write(Reason.DATABASE_BEHIND, server=gate.identity(), now=clock.now())


def drafted(company: Company, source: Caller, **more: Any) -> Any:
    body = {"kind": "erase-source", "source_id": client_id(source), "ground": GROUND}
    return company.person("analyst").post("/mass-acts", body | more)


def act(caller: Caller, mass_act: Any, path: str) -> Any:
    """One act on the mass act as it stands now."""
    where = f"/mass-acts/{mass_act['id']}"
    return caller.post(f"{where}/{path}", If_Match=caller.get(where)["ETag"])


def released(company: Company, source: Caller) -> Any:
    mass_act = drafted(company, source).json()
    for role, path in (("compliance-officer", "approvals"), ("key-custodian", "releases")):
        answer = act(company.person(role), mass_act, path)
        assert answer.status_code == 201, answer.content
        mass_act = answer.json()
    return mass_act


def second_account(company: Company, name: str) -> Caller:
    """A key custodian's account of the compliance officer of that name."""
    email = f"{name}.compliance-officer@{company.controller.slug}.example"
    person: UUID = User.objects.get(email=email).person_id
    return company.person("key-custodian", f"{name}-again", person_id=person)


def shown(company: Company, mass_act: Any) -> Any:
    return company.person("auditor").get(f"/mass-acts/{mass_act['id']}").json()


def work(cast: Cast) -> None:
    """Let the worker do what is due; more than one batch comes back at once."""
    for _ in range(3):
        effects.sweep(queue="default", now=cast.world.later(minutes=2))


@pytest.fixture
def shop(clinic: Company) -> Caller:
    """A second source of the clinic."""
    return clinic.source(name="shop")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mass_running, "BATCH", 2)


def bring(source: Caller, *names: str) -> list[str]:
    return [
        str(source.post("/subjects", {"references": [reference(name)]}).json()["id"])
        for name in names
    ]


class TestDraftMassErasure:
    def test_counts_and_names_nobody(self, cast: Cast, clinic: Company, shop: Caller) -> None:
        cast.subject("other")
        subjects = bring(shop, "a", "b", "c")

        answer = drafted(clinic, shop)

        assert (answer.status_code, answer["ETag"]) == (201, '"1"')
        shown = answer.json()
        assert (shown["state"], shown["done"], shown["left"]) == ("drafted", 0, {})
        assert shown["expected"] == {"people": 3, "other-source": 0}
        assert not any(subject in answer.content.decode() for subject in subjects)
        assert set(Subject.objects.values_list("state", flat=True)) == {"live"}

    def test_knows_no_source_of_another_controller(
        self, clinic: Company, insurer: Company, shop: Caller
    ) -> None:
        bring(shop, "a")

        foreign = drafted(insurer, shop)
        nobodys = drafted(clinic, shop, source_id=unknown(PublicId.CLIENT))

        for answer in (foreign, nobodys):
            assert (answer.status_code, answer.json()["code"]) == (404, "source-not-found")
        assert not MassAct.objects.exists()

    def test_is_refused_while_one_is_under_way(self, clinic: Company, shop: Caller) -> None:
        drafted(clinic, shop)

        answer = drafted(clinic, shop)

        assert (answer.status_code, answer.json()["code"]) == (409, "mass-act-exists")

    def test_acts_once_under_one_key(self, clinic: Company, shop: Caller) -> None:
        body = {"kind": "erase-source", "source_id": client_id(shop), "ground": GROUND}
        analyst = clinic.person("analyst")

        first, again = (analyst.post("/mass-acts", body, Idempotency_Key="k") for _ in range(2))

        assert first.json() == again.json()
        assert MassAct.objects.count() == 1


class TestDecideMassErasure:
    @pytest.mark.parametrize("path", ["", "/approvals", "/releases", "/withdrawal"])
    def test_is_not_done_by_programs(self, clinic: Company, shop: Caller, path: str) -> None:
        mass_act = drafted(clinic, shop).json()
        where = f"/mass-acts/{mass_act['id']}{path}" if path else "/mass-acts"

        answer = shop.post(where, If_Match='"1"')

        assert (answer.status_code, answer.json()["code"]) == (403, "person-needed")

    @pytest.mark.parametrize(
        ("role", "path"),
        [("analyst", "approvals"), ("compliance-officer", "releases"), ("dpo", "approvals")],
    )
    def test_takes_its_role(self, clinic: Company, shop: Caller, role: str, path: str) -> None:
        mass_act = drafted(clinic, shop).json()

        answer = act(clinic.person(role), mass_act, path)

        assert (answer.status_code, answer.json()["code"]) == (403, "role-missing")

    def test_takes_three_persons_whatever_their_accounts(
        self, clinic: Company, shop: Caller
    ) -> None:
        officer = clinic.person("compliance-officer", "one")
        body = {"kind": "erase-source", "source_id": client_id(shop), "ground": GROUND}
        mass_act = officer.post("/mass-acts", body).json()

        own = act(officer, mass_act, "approvals")
        other = act(clinic.person("compliance-officer", "two"), mass_act, "approvals")
        drafters = act(second_account(clinic, "one"), mass_act, "releases")
        approvers = act(second_account(clinic, "two"), mass_act, "releases")

        for answer in (own, drafters, approvers):
            assert (answer.status_code, answer.json()["code"]) == (403, "separation-of-duties")
        assert other.status_code == 201
        assert MassAct.objects.get().state == "approved"

    def test_is_not_released_before_it_is_approved(self, clinic: Company, shop: Caller) -> None:
        answer = act(clinic.person("key-custodian"), drafted(clinic, shop).json(), "releases")

        assert (answer.status_code, answer.json()["code"]) == (409, "mass-act-state")

    def test_can_be_given_up_until_its_release(self, clinic: Company, shop: Caller) -> None:
        mass_act = drafted(clinic, shop).json()

        given_up = act(clinic.person("analyst"), mass_act, "withdrawal")

        assert given_up.json()["state"] == "withdrawn"
        assert drafted(clinic, shop).status_code == 201
        running = released(clinic, clinic.source(name="mill"))
        too_late = act(clinic.person("analyst"), running, "withdrawal")
        assert (too_late.status_code, too_late.json()["code"]) == (409, "mass-act-state")

    def test_is_shown_to_its_own_controller_only(
        self, clinic: Company, insurer: Company, shop: Caller
    ) -> None:
        mass_act = drafted(clinic, shop).json()
        where = f"/mass-acts/{mass_act['id']}"

        assert clinic.person("auditor").get("/mass-acts").json()["items"] == [mass_act]
        assert insurer.person("auditor").get("/mass-acts").json()["items"] == []
        for path in (where, f"{where}/requests"):
            answer = insurer.person("auditor").get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "mass-act-not-found")
        answer = insurer.person("compliance-officer").post(f"{where}/approvals", If_Match='"1"')
        assert answer.status_code == 404


class TestMassErasure:
    def test_erases_each_with_a_certificate(
        self, cast: Cast, clinic: Company, shop: Caller
    ) -> None:
        other = cast.subject("other")
        bring(shop, "a", "b", "c", "d", "e")
        mass_act = released(clinic, shop)

        work(cast)
        cast.run()

        after = shown(clinic, mass_act)
        assert (after["state"], after["done"], after["left"]) == ("done", 5, {})
        assert after["erasures"] == {"certified": 5}
        auditor = clinic.person("auditor")
        items = auditor.get(f"/mass-acts/{mass_act['id']}/requests").json()["items"]
        assert {(item["state"], item["channel"]) for item in items} == {("certified", "controller")}
        assert len({item["erasure_id"] for item in items}) == 5
        for item in items:
            path = f"/requests/{item['id']}/certificates"
            assert len(auditor.get(path).json()["items"]) == 1
        roles = {one["role"] for one in items[0]["decisions"]}
        assert roles == {"analyst", "compliance-officer", "key-custodian"}
        assert Subject.objects.filter(state="live").count() == 1
        assert clinic.source().get(f"/subjects/{other}").status_code == 200
        assert auditor.get("/requests").json()["items"] == []

    def test_spares_and_counts_whom_it_must(
        self, cast: Cast, clinic: Company, shop: Caller, study: Study
    ) -> None:
        held, shared, asking, free = bring(shop, "held", "shared", "asking", "free")
        hold = {"scope": "subject", "scope_id": held, "ground": "art17-3-e"}
        assert clinic.person("compliance-officer").post("/holds", hold).status_code == 201
        assert study.record(shared, age=3).status_code == 201  # by the other source
        assert asked(clinic.source(), asking).status_code == 201
        mass_act = released(clinic, shop)

        work(cast)

        after = shown(clinic, mass_act)
        assert (after["state"], after["done"]) == ("done", 1)
        assert after["expected"] == {"people": 4, "other-source": 1}
        assert after["left"] == {"other-source": 1, "own-request": 1, "art17-3-e": 1}
        codes = [shop.get(f"/subjects/{one}").status_code for one in (held, shared, asking, free)]
        assert codes == [200, 200, 200, 410]

    def test_leaves_who_came_after_its_release(
        self, cast: Cast, clinic: Company, shop: Caller
    ) -> None:
        bring(shop, "a", "b", "c")
        mass_act = released(clinic, shop)
        late = bring(shop, "late")[0]

        work(cast)

        assert shown(clinic, mass_act)["done"] == 3
        assert shop.get(f"/subjects/{late}").status_code == 200

    @pytest.mark.parametrize(
        "point", ["governance.mass-act.before-commit", "governance.mass-act.batch-done"]
    )
    def test_goes_on_where_it_was_broken_off(
        self, cast: Cast, clinic: Company, shop: Caller, point: str
    ) -> None:
        bring(shop, *"abcde")
        mass_act = released(clinic, shop)
        reached = 0

        def kill(here: str) -> None:
            nonlocal reached
            reached += here == point
            if here == point and reached == 2:
                raise Killed

        with failpoints.installed(kill), pytest.raises(Killed):
            work(cast)
        assert shown(clinic, mass_act)["state"] == "running"
        work(cast)

        after = shown(clinic, mass_act)
        assert (after["state"], after["done"], after["left"]) == ("done", 5, {})
        assert SubjectRequest.objects.count() == 5

    def test_by_two_workers_at_once_reaches_nobody_twice(
        self, clinic: Company, shop: Caller
    ) -> None:
        bring(shop, *"abcdefg")
        mass_act = released(clinic, shop)
        start = Barrier(2)

        def run() -> None:
            start.wait()
            try:
                mass_running.run(mass_act_id=MassAct.objects.get().id, clock=clock.now)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(2) as pool:
            for future in [pool.submit(run) for _ in range(2)]:
                future.result(timeout=60)

        after = shown(clinic, mass_act)
        assert (after["state"], after["done"], after["left"]) == ("done", 7, {})
        assert after["erasures"] == {"executing": 7}

    def test_waits_while_the_gate_is_closed(
        self, cast: Cast, clinic: Company, shop: Caller
    ) -> None:
        subject = bring(shop, "a")[0]
        released(clinic, shop)
        close()

        effects.sweep(queue="default", now=cast.world.now)

        assert Subject.objects.get().state == "live", subject
        assert MassAct.objects.get().done == 0
        effect = Effect.objects.get(kind="governance.mass-act")
        assert (effect.state, effect.last_error) == ("pending", "restore-replay-required")

    def test_a_later_hold_blocks_one_request_and_no_other(
        self, cast: Cast, clinic: Company, shop: Caller
    ) -> None:
        held, _ = bring(shop, "a", "b")
        mass_act = released(clinic, shop)
        effects.sweep(queue="default", now=cast.world.now)
        hold = {"scope": "subject", "scope_id": held, "ground": "art17-3-e"}

        assert clinic.person("compliance-officer").post("/holds", hold).status_code == 201
        cast.run()

        assert shown(clinic, mass_act)["erasures"] == {"blocked": 1, "certified": 1}
        assert Certificate.objects.count() == 1
        assert shop.get(f"/subjects/{held}").status_code == 200


class TestRetirePurpose:
    def test_ends_everything_at_once_and_every_grant_in_the_background(
        self, cast: Cast, clinic: Company, study: Study
    ) -> None:
        people = [study.patient(name) for name in ("a", "b", "c")]
        lease = study.lease()

        answer = clinic.person("dpo").post(f"/purposes/{study.purpose}/retirements")

        assert (answer.status_code, answer.json()["state"]) == (201, "running")
        assert answer.json()["expected"] == {"people": 3}
        refused = study.consent(cast.subject("d"))
        assert (refused.status_code, refused.json()["code"]) == (409, "purpose-inactive")
        leases = study.pipeline.post(f"/purposes/{study.purpose}/leases")
        assert leases.status_code == 409
        read = study.pipeline.get(f"/leases/{lease['id']}/records")
        assert (read.status_code, read.json()["code"]) == (409, "lease-superseded")
        work(cast)
        after = shown(clinic, answer.json())
        assert (after["state"], after["done"], after["purpose_id"]) == ("done", 3, study.purpose)
        assert not KeyGrant.objects.exists()
        assert not Alias.objects.filter(ground__isnull=False).exists()
        assert Removal.objects.filter(reason="withdrawn").count() == 3
        ended = AuditEvent.objects.filter(action="governance.purpose.ended")
        trails = Subject.objects.filter(state="live").values_list("trail_id", flat=True)
        assert set(ended.values_list("trail_id", flat=True)) < set(trails)
        assert all(clinic.source().get(f"/subjects/{one}").status_code == 200 for one in people)

    def test_goes_on_while_the_gate_is_closed(
        self, cast: Cast, clinic: Company, study: Study
    ) -> None:
        study.patient("a")
        close()

        answer = clinic.person("dpo").post(f"/purposes/{study.purpose}/retirements")
        effects.sweep(queue="default", now=cast.world.now)

        assert shown(clinic, answer.json())["done"] == 1
        assert not KeyGrant.objects.exists()

    def test_is_final(self, clinic: Company, study: Study) -> None:
        where = f"/purposes/{study.purpose}"
        clinic.person("dpo").post(f"{where}/retirements")

        again = clinic.person("dpo").post(f"{where}/retirements")
        version = {"lawful_basis": "consent", "categories": {"health": ["age"]},
                   "retention_days": 1}  # fmt: skip
        clinic.person("analyst", "al").post(f"{where}/versions", version)
        activated = clinic.person("compliance-officer").post(f"{where}/activations", {"version": 2})

        for answer in (again, activated):
            assert (answer.status_code, answer.json()["code"]) == (409, "purpose-retired")
        assert Purpose.objects.get().state == "retired"

    def test_is_done_by_people_of_the_controller_with_a_role(
        self, clinic: Company, insurer: Company, study: Study
    ) -> None:
        where = f"/purposes/{study.purpose}/retirements"

        program = clinic.program("source", ("registry:write",), "registry").post(where)
        analyst = clinic.person("analyst", "al").post(where)
        foreign = insurer.person("dpo").post(where)

        assert [a.json()["code"] for a in (program, analyst, foreign)] == [
            "person-needed", "role-missing", "purpose-not-found",
        ]  # fmt: skip
        assert Purpose.objects.get().state == "active"
