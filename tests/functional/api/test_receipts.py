"""Receipts as their holders get them, checked by the verifier that strangers use."""

import base64
import json
from typing import Any

import pytest
from django.test import Client

from contracts.services import sequencing, status_publishing
from contracts.verifier import documents, words
from contracts.verifier.report import Report
from core import clock, runtime
from core.ids import PublicId
from core.models import AuditEvent
from governance.models import ConsentStatus
from tests.fakes.custodian import FakeSigner
from tests.fakes.heads import FakeHeadKeeper
from tests.functional.api.cast import Cast, Study, unknown
from tests.functional.api.test_requests import asked, released
from tests.vectors import bitstring

LOGGERD = FakeSigner("loggerd")


def publish(keeper: FakeHeadKeeper | None = None) -> None:
    """Let the log's process seal what has happened; with one keeper more than once."""
    with runtime.override(signer=LOGGERD, head_keeper=keeper or FakeHeadKeeper()):
        sequencing.run_round(now=clock.now())


def checked(file: Any) -> Report:
    return documents.examine(json.dumps(file).encode())


def predicate(file: Any) -> Any:
    return json.loads(base64.b64decode(file["envelope"]["payload"]))["predicate"]


def facts(file: Any) -> Any:
    return predicate(file)["facts"]


def status_of(study: Study, consent: str) -> dict[str, Any]:
    file = study.cast.clinic.source().get(f"/consents/{consent}/receipt").json()
    assert checked(file).verdict == "valid"
    status: dict[str, Any] = predicate(file)["status"]
    return status


def shown(place: dict[str, Any]) -> bool:
    """Whether the newest version of the list, published now, has it as revoked."""
    with runtime.override(signer=LOGGERD):
        status_publishing.publish(now=clock.now())
    document = Client().get(f"/status/{place['list_id']}").content.decode()
    payload = document.split(".")[1]
    content = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    bits = bitstring.decoded(content["credentialSubject"]["encodedList"])
    return bitstring.is_set(bits, place["index"])


def consented(study: Study, decision: str = "given") -> Any:
    return study.consent(study.cast.subject("ada"), decision).json()


class TestConsent:
    @pytest.mark.parametrize("decision", ["given", "refused", "withdrawn"])
    def test_is_signed_and_in_the_log(self, study: Study, decision: str) -> None:
        made = consented(study, decision)
        publish()

        file = study.cast.clinic.source().get(f"/consents/{made['id']}/receipt").json()

        report = checked(file)
        assert (report.verdict, report.kind, report.level) == ("valid", "consent", 1)
        assert facts(file)["decision"] == decision
        assert facts(file)["consent_id"] == made["id"]
        assert "VALID: consent receipt." in words.as_text(report)

    def test_has_no_log_part_until_the_log_has_the_event(self, study: Study) -> None:
        made = consented(study)

        file = study.cast.clinic.source().get(f"/consents/{made['id']}/receipt").json()

        assert "log" not in file
        assert checked(file).level == 0

    def test_still_verifies_after_the_erasure_and_is_not_given_out_again(
        self, study: Study
    ) -> None:
        subject = study.cast.subject("ada")
        made = study.consent(subject).json()
        publish()
        source = study.cast.clinic.source()
        path = f"/consents/{made['id']}/receipt"
        kept = source.get(path).json()

        released(study.cast, subject)
        study.cast.run()

        again = source.get(path)
        assert (again.status_code, again.json()["code"]) == (404, "consent-not-found")
        assert checked(kept).level == 1

    def test_is_on_record_when_given_out(self, study: Study) -> None:
        made = consented(study)

        study.cast.clinic.source().get(f"/consents/{made['id']}/receipt")

        event = AuditEvent.objects.get(action="governance.receipt.issued")
        assert event.trail_id is not None
        assert event.r is None

    def test_names_nobody(self, study: Study) -> None:
        subject = study.cast.subject("ada")
        made = study.consent(subject).json()
        publish()

        answer = study.cast.clinic.source().get(f"/consents/{made['id']}/receipt")

        assert subject.removeprefix("sub_") not in answer.content.decode()
        assert answer.headers["Cache-Control"] == "no-store"

    def test_is_another_controllers_404(self, study: Study) -> None:
        made = consented(study)

        for caller, id_ in (
            (study.cast.insurer.source(), made["id"]),
            (study.cast.clinic.source(), unknown(PublicId.CONSENT)),
        ):
            answer = caller.get(f"/consents/{id_}/receipt")
            assert (answer.status_code, answer.json()["code"]) == (404, "consent-not-found")

    def test_needs_the_scope(self, study: Study) -> None:
        made = consented(study)
        other = study.cast.clinic.source("records:write", name="other")

        assert other.get(f"/consents/{made['id']}/receipt").status_code == 403
        assert study.pipeline.get(f"/consents/{made['id']}/receipt").status_code == 403


class TestStatus:
    """Where a list says whether the consent was withdrawn since."""

    def test_is_the_same_place_in_every_receipt_and_not_shown_until_then(
        self, study: Study
    ) -> None:
        made = consented(study)
        place = status_of(study, made["id"])

        assert status_of(study, made["id"]) == place
        assert not shown(place)

    @pytest.mark.parametrize("decision", ["withdrawn", "refused"])
    def test_is_revoked_with_the_consent(self, study: Study, decision: str) -> None:
        subject = study.cast.subject("ada")
        first = study.consent(subject).json()
        place = status_of(study, first["id"])
        other = status_of(study, study.consent(study.cast.subject("bea")).json()["id"])

        study.consent(subject, decision)

        assert shown(place)
        assert not shown(other)

    def test_of_a_receipt_that_is_asked_for_after_the_withdrawal_is_revoked(
        self, study: Study
    ) -> None:
        subject = study.cast.subject("ada")
        first = study.consent(subject).json()
        study.consent(subject, "withdrawn")

        assert shown(status_of(study, first["id"]))

    def test_is_revoked_and_forgotten_with_the_person(self, study: Study) -> None:
        subject = study.cast.subject("ada")
        place = status_of(study, study.consent(subject).json()["id"])

        released(study.cast, subject)
        study.cast.run()

        assert shown(place)
        assert not ConsentStatus.objects.exists()

    @pytest.mark.parametrize("decision", ["refused", "withdrawn"])
    def test_is_none_where_nothing_was_given(self, study: Study, decision: str) -> None:
        made = consented(study, decision)

        study.cast.clinic.source().get(f"/consents/{made['id']}/receipt")

        assert not ConsentStatus.objects.exists()


class TestRequest:
    def test_tells_who_decided_what(self, cast: Cast, study: Study) -> None:
        request = released(cast, study.patient("ada"))
        publish()

        file = cast.clinic.person("auditor").get(f"/requests/{request['id']}/receipt").json()

        report = checked(file)
        assert (report.verdict, report.kind, report.level) == ("valid", "decision", 1)
        acts = [(act["action"], act["role"]) for act in facts(file)["acts"]]
        assert acts == [
            ("governance.request.drafted", "analyst"),
            ("governance.request.approved", "compliance-officer"),
            ("governance.request.released", "key-custodian"),
        ]
        assert len({act["actor"] for act in facts(file)["acts"]}) == 3

    def test_is_refused_before_anybody_decided(self, cast: Cast) -> None:
        request = asked(cast.clinic.source(), cast.subject("ada")).json()

        answer = cast.clinic.person("auditor").get(f"/requests/{request['id']}/receipt")

        assert (answer.status_code, answer.json()["code"]) == (409, "nothing-decided")

    def test_is_another_controllers_404(self, cast: Cast, study: Study) -> None:
        request = released(cast, study.patient("ada"))

        answer = cast.insurer.person("auditor").get(f"/requests/{request['id']}/receipt")

        assert (answer.status_code, answer.json()["code"]) == (404, "request-not-found")


class TestLease:
    def test_says_what_it_lets_be_read_while_it_is_open(self, study: Study) -> None:
        study.patient("ada")
        lease = study.lease()
        publish()

        file = study.pipeline.get(f"/leases/{lease['id']}/manifest").json()

        report = checked(file)
        assert (report.verdict, report.kind, report.level) == ("valid", "lease", 1)
        assert facts(file)["opening"]["subjects"] == 1
        assert facts(file)["closing"] is None

    def test_says_how_much_was_read_once_it_is_closed(self, study: Study) -> None:
        study.patient("ada")
        lease = study.lease()
        study.read(lease)
        study.pipeline.post(f"/leases/{lease['id']}/close")
        publish()

        file = study.pipeline.get(f"/leases/{lease['id']}/manifest").json()

        assert checked(file).level == 1
        assert facts(file)["closing"]["records_sent"] == 1
        assert facts(file)["closing"]["bytes_sent"] > 0

    def test_is_for_its_own_client_only(self, study: Study) -> None:
        lease = study.lease()
        other = study.cast.clinic.pipeline(study.purpose, name="other")

        assert other.get(f"/leases/{lease['id']}/manifest").status_code == 404
        assert study.cast.clinic.source().get(f"/leases/{lease['id']}/manifest").status_code == 404


class TestVerifier:
    """What somebody changes who wants another receipt, and signs anew if they can."""

    @pytest.mark.parametrize("level", [0, 1])
    def test_finds_another_fact(self, study: Study, level: int) -> None:
        made = consented(study)
        publish()
        file = study.cast.clinic.source().get(f"/consents/{made['id']}/receipt").json()
        if level == 0:
            statement = json.loads(base64.b64decode(file["envelope"]["payload"]))
            statement["predicate"]["facts"]["decision"] = "refused"
            text = json.dumps(statement, sort_keys=True, separators=(",", ":"))
            file["envelope"]["payload"] = base64.b64encode(text.encode()).decode()
        else:
            file["log"]["entries"][0]["event"]["details"]["facts"] = "00" * 32

        report = checked(file)

        assert report.verdict == "invalid"
        assert report.levels[level] == "fails"
        assert report.levels[0] == ("fails" if level == 0 else "holds")
