"""Random and half-right requests at every operation, as each kind of caller: never a 5xx.

Statuses and content types are those that the OpenAPI document names. Half of the requests carry
ids that exist, so that they get past the first look-up.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.wsgi import application
from tests.functional.api.cast import Caller, Study, cast, study
from tests.functional.api.test_mass_acts import drafted
from tests.functional.api.test_rekeys import put_log

EXAMPLES = int(os.environ.get("LETHE_SCHEMATHESIS_EXAMPLES", "8"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context: Any, value: Any) -> bytes:
    lines = value if isinstance(value, list) else [value]
    return b"\n".join(json.dumps(line).encode() for line in lines)


@pytest.fixture
def prepared(transactional_db: None, settings: Settings, tmp_path: Path) -> Iterator[Study]:
    settings.STATIC_ROOT = str(tmp_path)
    with cast(tmp_path) as made:
        yield study(made)


@pytest.fixture
def existing(prepared: Study) -> dict[str, str]:
    """An id of each kind that the paths name."""
    subject = prepared.patient("ada")
    clinic = prepared.cast.clinic
    category = clinic.source().get("/categories").json()["items"][0]["id"]
    request = clinic.source().post(
        "/requests",
        {"kind": "erasure", "subject_id": prepared.patient("bea"), "ground": "art17-1-b",
         "channel": "web"},
    )  # fmt: skip
    hold = clinic.person("compliance-officer").post(
        "/holds", {"scope": "subject", "scope_id": subject, "ground": "art17-3-e"}
    )
    other = prepared.patient("cleo")
    put_log(clinic, other)
    dpo = clinic.person("dpo")
    rekey = dpo.post(f"/subjects/{other}/rekeys", {"reason": "leak"})
    expiry = dpo.post(f"/subjects/{other}/expiries", {"group": "logs"})
    return {
        "lock_id": hold.json()["id"],
        "mass_act_id": drafted(clinic, clinic.source()).json()["id"],
        "rekey_id": rekey.json()["id"],
        "erasure_id": expiry.json()["id"],
        "subject_id": subject,
        "record_id": prepared.record(subject, "r2", age=7).json()["id"],
        "category_id": category,
        "purpose_id": prepared.purpose,
        "lease_id": prepared.lease()["id"],
        "request_id": request.json()["id"],
    }


def callers(prepared: Study) -> dict[str, Caller]:
    clinic = prepared.cast.clinic
    everything = ("records:write", "records:read", "consent:write", "requests:write",
                  "registry:write")  # fmt: skip
    return {
        "source": clinic.source(*everything, name="fuzz"),
        "person": clinic.person("compliance-officer", "fuzz"),
        "custodian": clinic.person("key-custodian", "fuzz"),
        "pipeline": prepared.pipeline,
    }


class TestEveryOperation:
    @pytest.mark.parametrize("name", ["source", "person", "custodian", "pipeline"])
    def test_never_fails_and_answers_as_documented(
        self, prepared: Study, existing: dict[str, str], name: str
    ) -> None:
        headers = callers(prepared)[name].headers
        document = schemathesis.openapi.from_wsgi("/api/schema", application)
        tried = 0
        for result in document.get_all_operations():
            operation: Any = result.ok()  # type: ignore[union-attr]  # an error would fail here
            if operation.path.startswith("/api/"):
                explore(operation, headers, existing)
                tried += 1

        assert tried > 30


def explore(operation: Any, headers: dict[str, str], existing: dict[str, str]) -> None:
    """Send requests to one operation: valid, invalid, and with ids that exist."""
    cases = st.one_of(
        [operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode]
    )

    @given(case=cases, real=st.booleans())
    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def run(case: Any, real: bool) -> None:  # noqa: FBT001 - hypothesis passes by name
        if real:
            _name_what_exists(case, existing)
        sent = dict(case.headers or {}) | headers
        response = case.call(headers=sent)
        checks = [*CHECKS]
        if "json" in response.headers.get("content-type", [""])[0].partition(";")[0][-5:]:
            checks.append(response_schema_conformance)
        case.validate_response(response, checks=checks, headers=sent)

    run()


def _name_what_exists(case: Any, existing: dict[str, str]) -> None:
    """Put ids that exist into path and body, and a version that may be right into If-Match."""
    for part in (case.path_parameters, case.body):
        for key in set(part) & set(existing) if isinstance(part, dict) else ():
            part[key] = existing[key]
    if isinstance(case.body, dict) and "category" in case.body:
        case.body["category"] = "health"
    if case.headers and "If-Match" in case.headers:
        case.headers["If-Match"] = '"1"'
