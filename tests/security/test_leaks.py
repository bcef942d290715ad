"""Bad input that carries personal data: it is refused, and what it said is repeated nowhere."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from core.models import AuditEvent, IdempotencyRecord
from tests.functional.api.cast import NDJSON, Caller, Cast, Study, consent_body
from tests.security import canaries, dumps

NAME, EMAIL, PHONE, NUMBER = canaries.ALL
REFERENCE = {"kind": "email", "value": EMAIL}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the product's own log handler writes."""
    root = logging.getLogger()
    ours = next(handler for handler in root.handlers if type(handler) is logging.StreamHandler)
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(ours.formatter)
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.DEBUG)
    yield written
    root.setLevel(level)
    root.removeHandler(handler)


def raw(caller: Caller, path: str, data: str | bytes, kind: str = "application/json") -> Any:
    return caller.send(path, data, kind)


def malformed(source: Caller, study: Study, subject: str) -> Iterator[Any]:
    """Bodies that are no JSON, or not the JSON that is taken."""
    records = f"/subjects/{subject}/records"
    for text in (
        f'{{"references": [{{"kind": "email", "value": "{EMAIL}"',
        f'{{"{NAME}": 1, "{NAME}": 2}}',
        f'"{PHONE}"',
        f'["{EMAIL}", NaN]',
        f'{{"references": "{EMAIL}\\u0000"}}',
        f"{NUMBER}",
        f'{{"references": [{{"kind": "email", "value": {NUMBER}}}]}}',
        f"'{EMAIL}'",
    ):
        for path in ("/subjects", "/subjects/lookup", "/consents", "/requests", records):
            yield raw(source, path, text)
    yield raw(source, "/subjects", EMAIL.encode("utf-16"))
    yield raw(source, "/subjects", b"\xff" + EMAIL.encode())
    yield raw(source, "/subjects", "{}", f"application/{NUMBER}")
    yield raw(source, "/subjects", f"name={EMAIL}", "application/x-www-form-urlencoded")
    yield raw(source, "/subjects", json.dumps({"references": [REFERENCE] * 9000}) * 3)


def wrong(source: Caller, study: Study, subject: str) -> Iterator[Any]:
    """Values of the wrong type, kind or length, and fields that are not there."""
    kinds: tuple[Any, ...] = (EMAIL, [EMAIL], {EMAIL: EMAIL}, {"value": EMAIL}, [[REFERENCE]])
    for value in kinds:
        yield source.post("/subjects", {"references": value})
        yield source.post("/subjects", {"references": [value]})
        yield source.post("/subjects/lookup", {"kind": value, "value": value})
    yield source.post("/subjects", {"references": [REFERENCE], NAME: EMAIL})
    yield source.post("/subjects", {"references": [{**REFERENCE, "name": NAME}]})
    yield source.post("/subjects", {"references": [{"kind": "email", "value": EMAIL * 400}]})
    yield source.post("/subjects", {"references": [{"kind": EMAIL, "value": EMAIL}]})
    yield source.post("/subjects/lookup", REFERENCE)
    for more in ({"channel": EMAIL}, {"language": NAME}, {"decision": NUMBER}, {PHONE: PHONE}):
        yield source.post("/consents", consent_body(study.purpose, subject_id=subject) | more)
    yield source.post("/consents", consent_body(NAME, subject_id=EMAIL))
    yield source.post("/consents", consent_body(study.purpose, subject=REFERENCE))
    for more in ({"kind": EMAIL}, {"ground": NAME}, {"subject_id": NUMBER}, {"note": PHONE}):
        body = {"kind": "erasure", "subject_id": subject, "ground": "art17-1-b", "channel": "web"}
        yield source.post("/requests", body | more)


def documents(source: Caller, study: Study, subject: str) -> Iterator[Any]:
    """Documents that do not fit their category's schema, one by one and in bulk."""
    records = f"/subjects/{subject}/records"
    for document in (
        {"age": EMAIL},
        {"age": 41, "name": NAME},
        {"age": 41, NAME: PHONE},
        {NAME: {EMAIL: [PHONE, {NUMBER: NUMBER}]}},
        EMAIL,
        [EMAIL],
    ):
        body = {"category": "health", "reference": "r1", "document": document}
        yield source.post(records, body)
        yield source.post(records, body | {"category": NUMBER})
        yield source.post(records, body | {"reference": EMAIL * 300})
        lines = [{**body, "subject": REFERENCE}, {**body, "subject": EMAIL}, EMAIL, {EMAIL: NAME}]
        yield raw(source, "/records:bulk", "\n".join(map(json.dumps, lines)), NDJSON)
    yield raw(source, "/subjects:bulk", f'{{"references": "{EMAIL}"}}\n{NAME}\n"{PHONE}', NDJSON)
    yield raw(source, "/consents:bulk", f'{{"channel": "{EMAIL}"}}\n{NAME}\n', NDJSON)


def places(source: Caller, study: Study, subject: str) -> Iterator[Any]:
    """Values in paths, queries and headers, where a clumsy client may put them."""
    for value in canaries.ALL:
        text = quote(value, safe="")
        for path in (
            f"/subjects/{text}",
            f"/subjects/{subject}/records/{text}",
            f"/{text}",
            f"/subjects/{subject}?name={text}",
            f"/subjects/{subject}?{text}=1",
            f"/requests?after={text}",
            f"/requests?limit={text}",
            f"/purposes/{study.purpose}?reference={text}",
            f"/leases/{text}/records?split={text}",
        ):
            yield source.get(path)
        ascii_only = value.encode("ascii", "ignore").decode()
        for name in ("Idempotency_Key", "If_Match", "X_Request_ID", "Accept", "Authorization"):
            yield source.post("/subjects", {"references": value}, **{name: ascii_only})
        yield source.http.get(f"/api/v1/subjects/{text}", headers={"Host": f"{NUMBER}.example"})
        yield source.http.post("/o/token", {"grant_type": value, "client_id": value})
        sign_in = {"login": "nobody@example.org", "password": value}
        yield source.http.post("/accounts/login/", sign_in)


class TestBadInput:
    @pytest.mark.parametrize("kind", [malformed, wrong, documents, places])
    def test_is_refused_and_repeated_nowhere(
        self, cast: Cast, study: Study, log: io.StringIO, tmp_path: Path, kind: Any
    ) -> None:
        subject = cast.subject("ada")
        source = cast.clinic.source()

        answers = list(kind(source, study, subject))

        statuses = {answer.status_code for answer in answers}
        assert len(answers) >= 20
        assert not {status for status in statuses if status >= 500}
        for answer in answers:
            shown = answer.getvalue() + repr(dict(answer.headers)).encode()
            assert canaries.found_in(shown) == [], answer.request["PATH_INFO"][:40]
        assert "request.refused" in log.getvalue()
        assert canaries.found_in(log.getvalue().encode()) == []
        assert canaries.found_under(dumps.take(tmp_path / "dump.sql")) == []


class TestGoodInput:
    def test_is_repeated_by_no_row_that_is_not_sealed(
        self, cast: Cast, study: Study, log: io.StringIO, tmp_path: Path
    ) -> None:
        source = cast.clinic.source()
        made = source.post("/subjects", {"references": [REFERENCE]}, Idempotency_Key=EMAIL)
        body = {"category": "health", "reference": NUMBER, "document": {"age": 41}}
        path = f"/subjects/{made.json()['id']}/records"
        kept = source.post(path, body, Idempotency_Key=NUMBER)
        again = source.post("/subjects", {"references": [REFERENCE]}, Idempotency_Key=EMAIL)

        assert (made.status_code, kept.status_code) == (201, 201)
        assert again.json() == made.json()
        assert IdempotencyRecord.objects.count() == 2
        assert AuditEvent.objects.count() > 3
        assert canaries.found_in(made.content + kept.content) == []
        assert canaries.found_in(log.getvalue().encode()) == []
        assert canaries.found_under(dumps.take(tmp_path / "dump.sql")) == []

    def test_in_a_table_in_clear_would_be_found(self, cast: Cast, tmp_path: Path) -> None:
        """The control: the same search on a database where something did leak."""
        cast.clinic.controller.name = f"belongs to {EMAIL}"
        cast.clinic.controller.save()

        found = canaries.found_under(dumps.take(tmp_path / "dump.sql"))

        assert found
        assert all(EMAIL in what for what in found)
