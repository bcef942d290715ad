"""Intake against real PostgreSQL: standing purposes, interruptions, and who may read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core import runtime
from tests.functional.api.cast import Cast, FailsLater, Study, reference
from tests.functional.api.cast import cast as make_cast
from tests.functional.api.cast import study as make_study
from vault.models import KeyGrant, SealedRecord


@pytest.fixture
def cast(transactional_db: None, settings: object, tmp_path: Path) -> Iterator[Cast]:
    settings.STATIC_ROOT = str(tmp_path)  # type: ignore[attr-defined]  # pytest-django's fixture
    with make_cast(tmp_path) as made:
        yield made


@pytest.fixture
def contract(cast: Cast) -> Study:
    """A purpose that rests on a contract, so that no consent is needed."""
    return make_study(cast, code="insurance", basis="performance-of-contract")


class TestStandingPurposes:
    def test_read_new_subjects_at_once(self, contract: Study) -> None:
        contract.patient("ada", consents=False)

        lease = contract.lease()

        assert lease["subjects"] == 1
        assert contract.read(lease)[0]["data"] == {"age": 41}

    def test_are_not_decided_by_consent(self, contract: Study) -> None:
        answer = contract.consent(contract.cast.subject("ada"))

        assert (answer.status_code, answer.json()["code"]) == (400, "not-consent-based")

    def test_get_what_an_interrupted_creation_left_undone(self, contract: Study) -> None:
        cast, body = contract.cast, {"references": [reference("ada")]}
        failing = FailsLater(cast.world.custodian, "make_grants", after=1)

        with runtime.override(custodian=failing):
            first = cast.clinic.source().post("/subjects", body)
        granted_before = KeyGrant.objects.count()
        second = cast.clinic.source().post("/subjects", body)

        assert first.status_code == 503
        assert granted_before == 0
        assert second.json()["outcome"] == "existing"
        assert KeyGrant.objects.count() == 1


class TestPutRecords:
    def test_take_the_order_of_fields_for_no_change(self, contract: Study) -> None:
        subject = contract.cast.subject("ada")

        contract.record(subject, age=1, visits=2)
        again = contract.record(subject, visits=2, age=1)

        assert again.json()["outcome"] == "unchanged"

    def test_keep_sources_apart_under_one_reference(self, contract: Study) -> None:
        subject = contract.cast.subject("ada")
        body = {"category": "health", "reference": "r1", "document": {"age": 1}}
        path = f"/subjects/{subject}/records"
        clinic = contract.cast.clinic

        one = clinic.source().post(path, body).json()
        other = clinic.source("records:write", name="other").post(path, body).json()

        assert one["id"] != other["id"]
        assert SealedRecord.objects.filter(is_current=True).count() == 2
