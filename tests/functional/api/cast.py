"""The cast of the API suites: a clinic and an insurer, their programs and their staff."""

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from django.test import Client

from accounts.models import AccessToken, APIClient, Controller, User
from accounts.services import clients, controllers, staff
from core import clock, effects, ids, runtime
from core.actors import process_actor
from core.ids import PublicId
from governance.adapters.participant import participant
from tests.fakes.custodian import FakeCustodian
from tests.fakes.world import World
from tests.fakes.world import world as make_world
from vault.errors import CustodianUnavailable
from vault.services import purpose_keys

ACTOR = process_actor("command")
NDJSON = "application/x-ndjson"
SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer"}, "visits": {"type": "integer"}},
    "required": ["age"],
    "additionalProperties": False,
}


class Caller:
    """Speaks the API with one token; answers as Django's test client gives them."""

    def __init__(self, token: str) -> None:
        self.http = Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **headers: str) -> Any:
        return self.http.get(f"/api/v1{path}", headers=self._with(headers))

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.http.post(
            f"/api/v1{path}",
            data=json.dumps({} if body is None else body),
            content_type="application/json",
            headers=self._with(headers),
        )

    def send(self, path: str, data: bytes | str, content_type: str, **headers: str) -> Any:
        return self.http.post(
            f"/api/v1{path}", data=data, content_type=content_type, headers=self._with(headers)
        )

    def bulk(self, path: str, lines: Sequence[Any]) -> list[Any]:
        """Send lines and return the outcome lines, the summary last."""
        body = b"\n".join(json.dumps(line).encode() for line in lines)
        return streamed(self.send(path, body, NDJSON))

    def _with(self, more: dict[str, str]) -> dict[str, str]:
        return self.headers | {name.replace("_", "-"): value for name, value in more.items()}


def streamed(response: HttpResponseBase) -> list[Any]:
    """The lines of a streamed answer."""
    assert response.status_code == 200, response.getvalue()
    return [json.loads(line) for line in response.getvalue().splitlines()]


@dataclass
class Company:
    """One controller with its programs and people, made as they are needed."""

    controller: Controller
    made: dict[Any, Caller] = field(default_factory=dict)

    def source(self, *scopes: str, name: str = "source") -> Caller:
        wanted = scopes or ("records:write", "records:read", "consent:write", "requests:write")
        return self.program("source", wanted, name)

    def pipeline(self, purpose_id: str, name: str = "pipeline") -> Caller:
        return self.program("pipeline", (f"purpose:{purpose_id}:read",), name)

    def program(self, kind: str, scopes: Sequence[str], name: str) -> Caller:
        key = (kind, tuple(scopes), name)
        if key not in self.made:
            client, _ = clients.create(
                controller_id=self.controller.pk, name=name, kind=kind, scopes=scopes,
                actor=ACTOR, now=clock.now(),
            )  # fmt: skip
            self.made[key] = Caller(token_for(client, scopes=scopes))
        return self.made[key]

    def person(self, role: str, name: str = "bo", person_id: UUID | None = None) -> Caller:
        key = (role, name)
        if key not in self.made:
            user = staff.create(
                email=f"{name}.{role}@{self.controller.slug}.example", password=None, roles=[role],
                controller_id=self.controller.pk, person_id=person_id,
                actor=ACTOR, now=clock.now(),
            )  # fmt: skip
            self.made[key] = Caller(token_for(console(), user=user, scopes=["staff:act"]))
        return self.made[key]


def console() -> APIClient:
    found = APIClient.objects.filter(kind="console").first()
    if found is not None:
        return found
    client, _ = clients.create(
        controller_id=None, name="console", kind="console", scopes=["staff:act"],
        redirect_uris=["https://console.example/callback"], actor=ACTOR, now=clock.now(),
    )  # fmt: skip
    return client


def token_for(client: APIClient, *, scopes: Sequence[str], user: User | None = None) -> str:
    """A live token as the token endpoint stores it: its checksum only."""
    raw = secrets.token_urlsafe(24)
    token = AccessToken(
        application=client, user=user, scope=" ".join(scopes), token="",
        expires=clock.now() + timedelta(hours=1),
    )  # fmt: skip
    token._raw_token = raw
    token.save()
    return raw


@dataclass
class Cast:
    world: World
    clinic: Company
    insurer: Company

    def run(self) -> None:
        """Let the eraser and the attester do all that is due."""
        self.world.later(minutes=10)
        for queue in ("shred", "attest", "attest"):
            effects.sweep(queue=queue, now=self.world.now)

    def subject(self, name: str = "ada") -> str:
        answer = self.clinic.source().post("/subjects", {"references": [reference(name)]})
        assert answer.status_code in (200, 201), answer.content
        return str(answer.json()["id"])


@dataclass
class Study:
    """A consent-based purpose of the clinic that reads `age` of category `health`."""

    cast: Cast
    purpose: str

    @property
    def pipeline(self) -> Caller:
        return self.cast.clinic.pipeline(self.purpose)

    def consent(self, subject: str, decision: str = "given") -> Any:
        return self.cast.clinic.source().post(
            "/consents", consent_body(self.purpose, subject_id=subject, decision=decision)
        )

    def patient(self, name: str, age: int = 41, *, consents: bool = True) -> str:
        """A subject with one record, who has given consent."""
        subject = self.cast.subject(name)
        assert self.record(subject, age=age).status_code == 201
        if consents:
            assert self.consent(subject).json()["access"] == "granted"
        return subject

    def record(self, subject: str, reference: str = "r1", **document: int) -> Any:
        body = {"category": "health", "reference": reference, "document": document}
        return self.cast.clinic.source().post(f"/subjects/{subject}/records", body)

    def lease(self, **body: Any) -> Any:
        answer = self.pipeline.post(f"/purposes/{self.purpose}/leases", body)
        assert answer.status_code == 201, answer.content
        return answer.json()

    def read(self, lease: Any, query: str = "", *, by: Caller | None = None) -> list[Any]:
        return streamed((by or self.pipeline).get(f"/leases/{lease['id']}/records{query}"))


def study(cast: Cast, *, code: str = "research", basis: str = "consent") -> Study:
    """Register category and purpose as staff do, and activate it by another person."""
    officer, analyst = cast.clinic.person("compliance-officer"), cast.clinic.person("analyst", "al")
    officer.post("/categories", {"code": "health", "name": "Health", "schema": SCHEMA})
    made = analyst.post("/purposes", {"code": code, "name": "Research"})
    assert made.status_code == 201, made.content
    purpose = made.json()["id"]
    drafted = analyst.post(f"/purposes/{purpose}/versions", version_body(basis))
    assert drafted.status_code == 201, drafted.content
    activated = officer.post(f"/purposes/{purpose}/activations", {"version": 1})
    assert activated.status_code == 201, activated.content
    effects.sweep(queue="default", now=cast.world.now)
    return Study(cast, purpose)


def version_body(basis: str = "consent", **more: Any) -> dict[str, Any]:
    return {
        "lawful_basis": basis,
        "categories": {"health": ["age"]},
        "retention_days": 365,
    } | more


def consent_body(purpose: str, *, decision: str = "given", **subject: Any) -> dict[str, Any]:
    return {
        "purpose_id": purpose,
        "decision": decision,
        "channel": "web",
        "text_digest": "ab" * 32,
        "language": "en",
        **subject,
    }


def reference(name: str) -> dict[str, str]:
    return {"kind": "customer-number", "value": f"number-of-{name}"}


@contextmanager
def cast(folder: Path) -> Iterator[Cast]:
    """Both companies over a key store in memory with a pool of purpose keys."""
    with make_world(folder) as world, runtime.override(participants=[participant()]):
        purpose_keys.register(world.custodian.available())
        yield Cast(world, _company("clinic"), _company("insurer"))


class FailsLater:
    """The key store, until the call named `name` was made `after` times; then it is down."""

    def __init__(self, custodian: FakeCustodian, name: str, *, after: int) -> None:
        self._custodian, self._name, self._left = custodian, name, after

    def __getattr__(self, name: str) -> Any:
        if name == self._name:
            self._left -= 1
            if self._left < 0:
                raise CustodianUnavailable
        return getattr(self._custodian, name)


def _company(slug: str) -> Company:
    return Company(
        controllers.create(slug=slug, name=slug.title(), country="DE", actor=ACTOR, now=clock.now())
    )


def unknown(kind: PublicId) -> str:
    """A well-formed id that names nothing."""
    return ids.format(kind, ids.new_random())
