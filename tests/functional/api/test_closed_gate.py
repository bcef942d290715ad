"""What a closed gate stops, and what it never stops, through the API."""

from collections.abc import Callable
from typing import Any

import pytest

from core import clock
from core.unit_of_work import unit_of_work
from governance.models import ConsentRecord, SubjectRequest
from tests.functional.api.cast import Cast, Study, reference
from vault.domain.gate import Reason
from vault.models import KeyGrant, PendingEntry
from vault.services import gate


@pytest.fixture
def closed(cast: Cast, study: Study) -> Callable[[], None]:
    def close() -> None:
        with unit_of_work():
            gate.write(Reason.DATABASE_BEHIND, server=gate.identity(), now=clock.now())

    return close


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


REFUSED = (503, "restore-replay-required")


class TestClosedGate:
    def test_stops_reads_and_new_data(
        self, cast: Cast, study: Study, closed: Callable[[], None]
    ) -> None:
        subject = study.patient("ada")
        lease = study.lease()
        source = cast.clinic.source()
        closed()

        answers = [
            study.pipeline.get(f"/leases/{lease['id']}/records"),
            study.pipeline.post(f"/purposes/{study.purpose}/leases"),
            source.get(f"/subjects/{subject}"),
            source.get(f"/subjects/{subject}/records"),
            source.get(f"/subjects/{subject}/consents"),
            source.post("/subjects/lookup", reference("ada")),
            source.post("/subjects", {"references": [reference("bo")]}),
            study.record(subject, age=2),
        ]

        assert [code(answer) for answer in answers] == [REFUSED] * len(answers)
        assert all(answer.headers["Retry-After"] for answer in answers)

    def test_never_stops_a_withdrawal(self, study: Study, closed: Callable[[], None]) -> None:
        subject = study.patient("ada")
        closed()

        answer = study.consent(subject, decision="withdrawn")

        assert answer.status_code == 201
        assert not KeyGrant.objects.exists()
        assert ConsentRecord.objects.filter(decision="withdrawn").exists()
        assert PendingEntry.objects.filter(kind="revocation").count() == 1

    def test_keeps_a_consent_and_grants_nothing(
        self, cast: Cast, study: Study, closed: Callable[[], None]
    ) -> None:
        subject = cast.subject("ada")
        closed()

        answer = study.consent(subject)

        assert (answer.status_code, answer.json()["access"]) == (201, "pending")
        assert not KeyGrant.objects.exists()

    def test_never_stops_the_receipt_of_a_request(
        self, cast: Cast, study: Study, closed: Callable[[], None]
    ) -> None:
        subject = study.patient("ada")
        closed()

        answer = cast.clinic.source().post(
            "/requests",
            {"kind": "erasure", "subject_id": subject, "ground": "art17-1-b", "channel": "web"},
        )

        assert answer.status_code == 201
        assert SubjectRequest.objects.count() == 1


class TestReadyz:
    def test_says_why_the_gate_is_closed_and_what_to_do(
        self, cast: Cast, closed: Callable[[], None]
    ) -> None:
        closed()

        answer = cast.clinic.source().http.get("/readyz")

        assert answer.json()["gate"]["open"] is False
        assert answer.json()["gate"]["reason"] == "database-behind"
        assert "replay" in answer.json()["gate"]["words"]

    def test_fails_a_stream_that_has_nothing_to_serve(
        self, cast: Cast, closed: Callable[[], None], settings: Any
    ) -> None:
        settings.LETHE_PROCESS = "stream"
        assert cast.clinic.source().http.get("/readyz").status_code == 200
        closed()

        assert cast.clinic.source().http.get("/readyz").status_code == 503


class TestMetrics:
    def test_show_the_gate(self, cast: Cast, closed: Callable[[], None]) -> None:
        closed()

        text = cast.clinic.source().http.get("/metrics").content.decode()

        assert "lethe_gate_open 0.0" in text
        assert 'lethe_gate_reason{reason="database-behind"} 1.0' in text
        assert 'lethe_gate_reason{reason="in-step"} 0.0' in text
