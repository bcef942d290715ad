"""A real PostgreSQL behind a network that is slow, mute, or loses the answer to a commit."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from django.db import DatabaseError, OperationalError, close_old_connections
from pytest_django import Settings

from accounts.models import AccessToken
from core import effects, tasks
from core.errors import ServiceError
from core.models import Effect
from core.unit_of_work import forget_broken_connection
from governance.models import ConsentRecord
from tests.functional.api.cast import Caller, Cast, Study, consent_body, reference
from tests.functional.api.cast import cast as make_cast
from tests.functional.api.test_requests import released
from tests.servers import restores
from tests.servers.proxy import Fault, Proxy
from vault.models import DestructionAttestation, LookupTag, SealedRecord, Shredding

pytestmark = [pytest.mark.fault, pytest.mark.long]

COMMIT: Final = b"COMMIT"
#: More commits than eraser and attester make for one erasure.
_ENOUGH: Final = 60


@pytest.fixture
def cast(own_database: None, settings: Settings, tmp_path: Path) -> Iterator[Cast]:
    settings.STATIC_ROOT = str(tmp_path)
    with make_cast(tmp_path) as made:
        yield made


@pytest.fixture(params=["answer", "commit"])
def lost(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The server commits and we do not hear of it; or it never gets the commit."""
    return {"cut_after": 0} if request.param == "answer" else {"cut_request": True}


class Commits:
    """Runs an act once per commit in it, each time losing another one."""

    def __init__(self, proxy: Proxy, lost: dict[str, Any]) -> None:
        self._proxy, self._lost = proxy, lost
        self.met = 0

    def __iter__(self) -> Iterator[Fault]:
        while True:
            fault = Fault(COMMIT, skip=self.met, times=1, **self._lost)
            with self._proxy.fault(fault):
                yield fault
            close_old_connections()  # as a new request does
            if not fault.caught.is_set():
                return
            self.met += 1


def assert_gone(answer: Any) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, "database-unavailable")
    assert int(answer["Retry-After"]) > 0


def repeat(cast: Cast, source: Caller, path: str, body: Any, key: str) -> Any:
    """The same request again; at the latest 90 s later when the reservation of its key was lost."""
    answer = source.post(path, body, Idempotency_Key=key)
    if answer.status_code == 409:
        assert answer.json()["code"] == "idempotency-in-progress"
        cast.world.later(seconds=91)
        answer = source.post(path, body, Idempotency_Key=key)
    return answer


class TestLostCommit:
    def test_of_a_subject_leaves_one(
        self, cast: Cast, address: Proxy, lost: dict[str, Any]
    ) -> None:
        source = cast.clinic.source()
        commits = Commits(address, lost)
        for fault in commits:
            body = {"references": [reference(f"s{commits.met}")]}
            answer = source.post("/subjects", body, Idempotency_Key=f"k{commits.met}")
            if fault.caught.is_set():
                assert_gone(answer)
                close_old_connections()
                again = repeat(cast, source, "/subjects", body, f"k{commits.met}")
                once_more = source.post("/subjects", body)
                assert (again.status_code, once_more.status_code) == (201, 200), again.content
                assert again.json()["id"] == once_more.json()["id"]
        assert commits.met > 2
        assert LookupTag.objects.count() == commits.met + 1

    def test_of_a_record_leaves_one_of_one_version(
        self, study: Study, address: Proxy, lost: dict[str, Any]
    ) -> None:
        subject, source = study.cast.subject("ada"), study.cast.clinic.source()
        commits = Commits(address, lost)
        for fault in commits:
            body = {"category": "health", "reference": f"r{commits.met}", "document": {"age": 7}}
            key = f"k{commits.met}"
            answer = source.post(f"/subjects/{subject}/records", body, Idempotency_Key=key)
            if fault.caught.is_set():
                assert_gone(answer)
                close_old_connections()
                again = repeat(study.cast, source, f"/subjects/{subject}/records", body, key)
                assert again.status_code in {200, 201}, again.content
        assert commits.met > 1
        assert set(SealedRecord.objects.values_list("version", flat=True)) == {1}
        assert SealedRecord.objects.count() == commits.met + 1

    def test_of_a_consent_leaves_one_row(
        self, study: Study, address: Proxy, lost: dict[str, Any]
    ) -> None:
        source = study.cast.clinic.source()
        subjects = [study.patient(f"p{number}", consents=False) for number in range(6)]
        commits = Commits(address, lost)
        for fault in commits:
            body = consent_body(study.purpose, subject_id=subjects[commits.met])
            answer = source.post("/consents", body, Idempotency_Key=f"k{commits.met}")
            if fault.caught.is_set():
                assert answer.status_code in {201, 503}, answer.content
                close_old_connections()
                again = repeat(study.cast, source, "/consents", body, f"k{commits.met}")
                assert again.status_code == 201, again.content
        assert commits.met > 1
        assert ConsentRecord.objects.count() == commits.met + 1

    def test_of_a_request_leaves_one(
        self, study: Study, address: Proxy, lost: dict[str, Any]
    ) -> None:
        source = study.cast.clinic.source()
        subjects = [study.patient(f"p{number}") for number in range(6)]
        body = {"kind": "erasure", "ground": "art17-1-b", "channel": "web"}
        commits = Commits(address, lost)
        for fault in commits:
            body["subject_id"] = subjects[commits.met]
            answer = source.post("/requests", body, Idempotency_Key=f"k{commits.met}")
            if fault.caught.is_set():
                assert_gone(answer)
                close_old_connections()
                again = repeat(study.cast, source, "/requests", body, f"k{commits.met}")
                assert again.status_code == 201, again.content
        shown = study.cast.clinic.person("auditor").get("/requests").json()["items"]
        assert len(shown) == commits.met + 1

    def test_in_the_eraser_or_the_attester_erases_once(
        self, study: Study, address: Proxy, lost: dict[str, Any]
    ) -> None:
        cast = study.cast
        for number in range(_ENOUGH):
            AccessToken.objects.update(expires=cast.world.now + timedelta(hours=1))
            released(cast, study.patient(f"p{number}"))
            cast.world.later(minutes=10)
            fault = Fault(COMMIT, skip=number, times=1, **lost)
            with address.fault(fault):
                run(cast)
            for _ in range(2):
                cast.world.later(minutes=10)
                run(cast)
            assert not Shredding.objects.exclude(state="verified").exists()
            if not fault.caught.is_set():
                break
        assert 8 < number < _ENOUGH - 1
        assert DestructionAttestation.objects.count() == number + 1
        assert not Effect.objects.filter(state="needs-operator").exists()


def run(cast: Cast) -> None:
    """A round of eraser and attester, which the database may end."""
    now = cast.world.now
    for queue in ("shred", "attest", "attest"):
        forget_broken_connection()
        with suppress(OperationalError):
            tasks.tend(queue)
            effects.sweep(queue=queue, now=now)
    forget_broken_connection()


class TestSlow:
    def test_only_takes_longer(self, study: Study, address: Proxy) -> None:
        with address.fault(Fault(delay=0.01)):
            study.patient("ada")

        assert study.read(study.lease())[0]["data"] == {"age": 41}


class TestMute:
    def test_is_given_up_in_time_when_connecting(self, study: Study, address: Proxy) -> None:
        subject, source = study.patient("ada"), study.cast.clinic.source()
        restores.disconnect()

        started_at = time.monotonic()
        with address.fault(Fault(hold_request=True)):
            assert_gone(source.get(f"/subjects/{subject}/records"))
        assert time.monotonic() - started_at < 30
        restores.disconnect()
        assert source.get(f"/subjects/{subject}/records").status_code == 200


class TestStream:
    def test_is_whole_or_said_to_be_cut_whichever_statement_is_lost(
        self, study: Study, address: Proxy
    ) -> None:
        for name in ("ada", "bea"):
            study.patient(name)
        lease = study.lease()
        seen = set()
        for number in range(_ENOUGH):
            fault = Fault(skip=number, times=1, cut_request=True)
            with address.fault(fault):
                seen.add(streamed(study, lease))
            close_old_connections()
            if not fault.caught.is_set():
                break
        assert 3 < number < _ENOUGH - 1
        assert seen <= {"503 database-unavailable", "cut", "2 records"}
        assert study.read(lease)[-1]["complete"]


def streamed(study: Study, lease: Any) -> str:
    """What a pipeline gets: a problem, a stream that is cut off, or all of it."""
    answer = study.pipeline.get(f"/leases/{lease['id']}/records")
    if answer.status_code != 200:
        return f"{answer.status_code} {answer.json()['code']}"
    try:
        *_, last = map(json.loads, answer.getvalue().splitlines())
    except (ServiceError, DatabaseError):
        return "cut"
    return f"{last['records']} records"
