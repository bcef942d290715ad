"""What a source that kept its ids still learns from the API once a person is erased: nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import URLPattern

from core import ids
from core.ids import PublicId
from governance.api.urls import stream_urlpatterns, web_urlpatterns
from governance.models import ConsentRecord
from tests.functional.api.cast import Caller, Cast, Study, consent_body, reference
from tests.functional.api.test_requests import released
from vault.models import Subject

ROUTES = [
    pattern
    for pattern in (*web_urlpatterns, *stream_urlpatterns)
    if str(pattern.pattern).count("<") == 1
]


def path_with(pattern: URLPattern, public: str) -> str:
    head, _, rest = str(pattern.pattern).partition("<")
    return f"/{head}{public}{rest.partition('>')[2]}"


def callers(cast: Cast, study: Study) -> list[Caller]:
    staff = [cast.clinic.person(role) for role in ("dpo", "auditor", "compliance-officer")]
    return [cast.clinic.source(), study.pipeline, *staff]


class TestConsentId:
    def test_leads_nowhere_by_any_route(self, cast: Cast, study: Study) -> None:
        subject = study.patient("ada", consents=False)
        public = study.consent(subject).json()["id"]
        released(cast, subject)
        cast.run()

        answers = {
            (path, answer.status_code)
            for path in (path_with(pattern, public) for pattern in ROUTES)
            for caller in callers(cast, study)
            for answer in (caller.get(path), caller.post(path, If_Match='"1"'))
        }

        assert len(answers) > len(ROUTES) > 10
        assert {status for _, status in answers} <= {400, 403, 404, 405}, answers

    def test_leads_in_the_database_to_a_trail_that_leads_to_nobody(
        self, cast: Cast, study: Study
    ) -> None:
        """What README says remains: the record and the trail, joined to no subject."""
        subject = study.patient("ada", consents=False)
        consent = study.consent(subject).json()["id"]
        study.consent(subject, "withdrawn")
        released(cast, subject)
        cast.run()

        row = ConsentRecord.objects.get(id=ids.parse(PublicId.CONSENT, consent))
        assert ConsentRecord.objects.filter(trail_id=row.trail_id).count() == 2
        assert not Subject.objects.filter(trail_id=row.trail_id).exists()


def consent(study: Study, subject: str) -> tuple[str, Any]:
    return "/consents", consent_body(study.purpose, subject_id=subject)


def record(_study: Study, subject: str) -> tuple[str, Any]:
    body = {"category": "health", "reference": "r9", "document": {"age": 7}}
    return f"/subjects/{subject}/records", body


class TestRepeat:
    @pytest.mark.parametrize("make", [consent, record], ids=lambda make: make.__name__)
    def test_of_what_was_kept_answers_410_from_the_release_on(
        self, cast: Cast, study: Study, make: Callable[[Study, str], tuple[str, Any]]
    ) -> None:
        subject = study.patient("ada", consents=False)
        path, body = make(study, subject)
        source = cast.clinic.source()
        first = source.post(path, body, Idempotency_Key="k1")
        alike = source.post(path, body, Idempotency_Key="k1")

        released(cast, subject)
        fenced = source.post(path, body, Idempotency_Key="k1")
        cast.run()
        erased = source.post(path, body, Idempotency_Key="k1")

        assert (first.status_code, alike.status_code) == (201, 201)
        assert [fenced.status_code, erased.status_code] == [410, 410]
        assert erased.json()["code"] == "erased"

    def test_of_a_creation_answers_410_from_the_release_on(self, cast: Cast) -> None:
        source, body = cast.clinic.source(), {"references": [reference("ada")]}
        subject = source.post("/subjects", body, Idempotency_Key="k1").json()["id"]

        released(cast, subject)
        cast.run()

        assert source.post("/subjects", body, Idempotency_Key="k1").status_code == 410
