"""A request whose process ends right after its commit: the repeat is told, and nothing doubles."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from core import failpoints, runtime
from core.models import AuditEvent
from tests.fakes.custodian import FakeCustodian
from tests.functional.api.cast import (
    SCHEMA,
    Caller,
    Cast,
    FailsLater,
    consent_body,
    reference,
    version_body,
)
from tests.functional.api.cast import study as make_study
from tests.functional.api.test_requests import DRAFT, act, asked, released
from vault.models import Alias

KEY = "k1"


class BrokenOffError(Exception):
    """Stands for the end of the process."""


@dataclass
class Post:
    """A request, and the event that its act leaves once each time it is done."""

    by: Caller
    path: str
    body: Any
    event: str
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 201

    def send(self) -> Any:
        return self.by.post(self.path, self.body, Idempotency_Key=KEY, **self.headers)

    def acts(self) -> int:
        return AuditEvent.objects.filter(action=self.event).count()


def break_off(point: str) -> None:
    if point == "core.once.acted":
        raise BrokenOffError


def category(cast: Cast) -> Post:
    body = {"code": "health", "name": "Health", "schema": SCHEMA}
    by = cast.clinic.person("compliance-officer")
    return Post(by, "/categories", body, "governance.category.created")


def purpose(cast: Cast) -> Post:
    body = {"code": "research", "name": "Research"}
    return Post(cast.clinic.person("analyst"), "/purposes", body, "governance.purpose.created")


def version(cast: Cast) -> Post:
    study = make_study(cast)
    return Post(
        cast.clinic.person("analyst"), f"/purposes/{study.purpose}/versions", version_body(),
        "governance.purpose.version-drafted",
    )  # fmt: skip


def activation(cast: Cast) -> Post:
    post = version(cast)
    assert post.by.post(post.path, post.body).status_code == 201
    path = post.path.replace("versions", "activations")
    by = cast.clinic.person("compliance-officer")
    return Post(by, path, {"version": 2}, "governance.purpose.activated")


def subject(cast: Cast) -> Post:
    body = {"references": [reference("ada")]}
    return Post(cast.clinic.source(), "/subjects", body, "vault.subject.created")


def record(cast: Cast, age: int = 41) -> Post:
    study = make_study(cast)
    body = {"category": "health", "reference": "r1", "document": {"age": age}}
    path = f"/subjects/{study.patient('ada', consents=False)}/records"
    return Post(cast.clinic.source(), path, body, "vault.records.sealed")


def new_record(cast: Cast) -> Post:
    post = record(cast)
    post.body["reference"] = "r2"
    return post


def changed_record(cast: Cast) -> Post:
    return replace(record(cast, age=42), status=200)


def consent(cast: Cast, decision: str = "given") -> Post:
    study = make_study(cast)
    patient = study.patient("ada", consents=decision != "given")
    body = consent_body(study.purpose, subject_id=patient, decision=decision)
    return Post(cast.clinic.source(), "/consents", body, f"governance.consent.{decision}")


def withdrawn_consent(cast: Cast) -> Post:
    return consent(cast, "withdrawn")


def lease(cast: Cast) -> Post:
    study = make_study(cast)
    path = f"/purposes/{study.purpose}/leases"
    return Post(study.pipeline, path, {}, "governance.lease.opened")


def lease_close(cast: Cast) -> Post:
    study = make_study(cast)
    path = f"/leases/{study.lease()['id']}/close"
    return Post(study.pipeline, path, None, "governance.lease.closed", status=200)


def acknowledged_removals(cast: Cast) -> Post:
    study = make_study(cast)
    study.consent(study.patient("ada"), "withdrawn")
    path = f"/purposes/{study.purpose}/removals"
    (item,) = study.pipeline.get(path).json()["items"]
    return Post(
        study.pipeline, f"{path}/acknowledgements", {"up_to": item["id"]},
        "governance.removals.acknowledged",
    )  # fmt: skip


def acknowledged_erasure(cast: Cast) -> Post:
    released(cast, cast.subject("ada"))
    cast.run()
    body = {"reference": reference("ada")}
    path = "/suppressions/acknowledgements"
    return Post(cast.clinic.source(), path, body, "governance.erasure.acknowledged")


def request(cast: Cast) -> Post:
    body = {"kind": "erasure", "subject_id": cast.subject("ada"), "ground": "art17-1-b",
            "channel": "web"}  # fmt: skip
    return Post(cast.clinic.source(), "/requests", body, "governance.request.received")


def step(cast: Cast, *, of: str) -> Post:
    """The step `of` of a request for which the earlier ones were done."""
    steps = [
        ("decisions", "analyst", DRAFT, "drafted"),
        ("approvals", "compliance-officer", None, "approved"),
        ("releases", "key-custodian", None, "released"),
    ]
    asked_for = asked(cast.clinic.source(), cast.subject("ada")).json()
    for path, role, body, word in steps:
        by, where = cast.clinic.person(role), f"/requests/{asked_for['id']}"
        if path == of:
            headers = {"If_Match": by.get(where)["ETag"]}
            return Post(by, f"{where}/{path}", body, f"governance.request.{word}", headers)
        assert act(by, asked_for, path, body).status_code == 201
    raise AssertionError(of)


def draft(cast: Cast) -> Post:
    return step(cast, of="decisions")


def approval(cast: Cast) -> Post:
    return step(cast, of="approvals")


def release(cast: Cast) -> Post:
    return step(cast, of="releases")


def withdrawal(cast: Cast) -> Post:
    source = cast.clinic.source()
    where = f"/requests/{asked(source, cast.subject('ada')).json()['id']}"
    headers = {"If_Match": source.get(where)["ETag"]}
    event = "governance.request.withdrawn"
    return Post(source, f"{where}/withdrawal", None, event, headers, status=200)


def hold(cast: Cast) -> Post:
    body = {"scope": "subject", "scope_id": cast.subject("ada"), "ground": "art17-3-e"}
    return Post(cast.clinic.person("compliance-officer"), "/holds", body, "vault.lock.placed")


def lift(cast: Cast) -> Post:
    where = f"/holds/{hold(cast).send().json()['id']}/lifts"
    return Post(cast.clinic.person("dpo"), where, None, "vault.lock.lifted")


POSTS: list[Callable[[Cast], Post]] = [
    category, purpose, version, activation, subject, new_record, changed_record, consent,
    withdrawn_consent, lease, lease_close, acknowledged_removals, acknowledged_erasure, request,
    draft, approval, release, withdrawal, hold, lift,
]  # fmt: skip


@pytest.mark.parametrize("make", POSTS, ids=lambda make: make.__name__)
class TestRepeat:
    def test_of_a_request_broken_off_after_its_commit_is_told_what_it_came_to(
        self, cast: Cast, make: Callable[[Cast], Post]
    ) -> None:
        post = make(cast)
        before = post.acts()

        with failpoints.installed(break_off):
            assert post.send().status_code == 500
        again, once_more = post.send(), post.send()

        assert again.status_code == post.status, again.content
        assert (once_more.status_code, once_more.json()) == (again.status_code, again.json())
        assert post.acts() == before + 1

    def test_answers_as_the_first_did(self, cast: Cast, make: Callable[[Cast], Post]) -> None:
        post = make(cast)

        first, second = post.send(), post.send()

        assert (second.status_code, second.json()) == (first.status_code, first.json())


class TestRepeatOfASubject:
    def test_lets_the_purposes_read_it_that_need_no_consent(self, cast: Cast) -> None:
        """The first request had created it when the key store went down before the grants."""
        make_study(cast, basis="legal-obligation")
        post = subject(cast)

        failing = FailsLater(cast.world.custodian, "make_grants", after=1)
        with runtime.override(custodian=failing):
            assert post.send().status_code == 503
        assert not Alias.objects.filter(keygrant__isnull=False).exists()
        again = post.send()

        assert again.status_code == 201
        assert Alias.objects.filter(keygrant__isnull=False).count() == 1


class AtTags:
    """The hasher, which does `first` before it makes its first tags."""

    def __init__(self, hasher: FakeCustodian, first: Callable[[], None]) -> None:
        self._hasher, self._first = hasher, [first]

    def tags(self, *, key: str, values: Sequence[bytes]) -> list[bytes]:
        if self._first:
            self._first.pop()()
        return self._hasher.tags(key=key, values=values)


class TestTakeOver:
    def test_undoes_the_act_of_the_request_that_was_too_slow(self, cast: Cast) -> None:
        """It stands still for two minutes before it acts; meanwhile the client sends it again."""
        study = make_study(cast)
        study.patient("ada", consents=False)
        body = consent_body(study.purpose, subject=reference("ada"))
        post = Post(cast.clinic.source(), "/consents", body, "governance.consent.given")
        told: list[Any] = []

        def stand_still() -> None:
            cast.world.later(minutes=2)
            told.append(post.send())

        with runtime.override(hasher=AtTags(cast.world.custodian, stand_still)):
            slow = post.send()
        again = post.send()

        assert (slow.status_code, slow.json()["code"]) == (409, "idempotency-taken-over")
        assert told[0].status_code == 201
        assert (again.status_code, again.json()) == (201, told[0].json())
        assert post.acts() == 1
