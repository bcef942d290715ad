"""Controllers, staff and clients of the accounts suites, made through the services."""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import APIClient, Controller, User
from accounts.services import clients, controllers, staff
from core import clock
from core.actors import process_actor

ACTOR = process_actor("command")
REDIRECT = "https://console.example/callback"
VERIFIER = "v" * 64
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Program:
    """A client with its secret in clear."""

    client: APIClient
    secret: str

    def basic(self) -> dict[str, str]:
        pair = f"{self.client.client_id}:{self.secret}".encode()
        return {"HTTP_AUTHORIZATION": f"Basic {base64.b64encode(pair).decode()}"}


class OAuth:
    """Speaks the OAuth endpoints as a program or a browser would."""

    def __init__(self) -> None:
        self.http = Client()

    def client_credentials(self, program: Program, **extra: str) -> dict[str, object]:
        answer = self.token(program, grant_type="client_credentials", **extra)
        assert answer["status"] == 200, answer
        return answer

    def token(self, program: Program, **body: str) -> dict[str, object]:
        headers = program.basic() if program.secret else {}
        if not program.secret:
            body = {"client_id": program.client.client_id, **body}
        response = self.http.post("/o/token", body, **headers)  # type: ignore[arg-type]
        return {**response.json(), "status": response.status_code}

    def code(self, user: User, program: Program, **changed: str | None) -> dict[str, str]:
        """Sign in, allow, and return the query of the redirect."""
        browser = Client()
        browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        asked = {
            "client_id": program.client.client_id,
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": "staff:act",
            "state": "s1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changed,
        }
        body = {name: value for name, value in asked.items() if value is not None}
        response = browser.post("/o/authorize", {**body, "allow": "Authorize"})
        assert response.status_code == 302, response.content
        place = urlsplit(response["Location"])
        query = parse_qs(place.query or place.fragment)
        return {name: values[0] for name, values in query.items()}

    def exchange(self, program: Program, code: str, **changed: str) -> dict[str, object]:
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
            **changed,
        }
        return self.token(program, **body)

    def probe(self, token: object) -> int:
        return self.http.get("/probe", HTTP_AUTHORIZATION=f"Bearer {token}").status_code


@pytest.fixture(autouse=True)
def _own_urls(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = str(tmp_path)
    settings.ROOT_URLCONF = "tests.integration.accounts.urls"
    settings.OAUTH2_PROVIDER = {
        **settings.OAUTH2_PROVIDER,
        "SCOPES_BACKEND_CLASS": "tests.integration.accounts.scopes.KnownScopes",
    }


@pytest.fixture(autouse=True)
def _clock_of_this_test() -> None:
    """Forget the offset that an earlier test moved to: the clock keeps it for 0.2 seconds."""
    clock.forget()


@pytest.fixture
def oauth() -> OAuth:
    return OAuth()


@pytest.fixture
def controller(db: None) -> Controller:
    return _controller("clinic")


@pytest.fixture
def other_controller(db: None) -> Controller:
    return _controller("insurer")


@pytest.fixture
def source(controller: Controller) -> Program:
    return _program(controller.pk, "source", ["records:write", "consent:write"])


@pytest.fixture
def other_source(other_controller: Controller) -> Program:
    return _program(other_controller.pk, "source", ["records:write"])


@pytest.fixture
def console(db: None) -> Program:
    return _program(None, "console", ["staff:act"], redirect_uris=[REDIRECT])


@pytest.fixture
def bo(controller: Controller) -> User:
    return _staff("bo@clinic.example", controller)


def _controller(slug: str) -> Controller:
    return controllers.create(
        slug=slug, name=slug.title(), country="DE", actor=ACTOR, now=clock.now()
    )


def _staff(email: str, controller: Controller, person_id: UUID | None = None) -> User:
    return staff.create(
        email=email,
        password=PASSWORD,
        roles=["analyst"],
        controller_id=controller.pk,
        person_id=person_id,
        actor=ACTOR,
        now=clock.now(),
    )


def _program(
    controller_id: UUID | None,
    kind: str,
    scopes: list[str],
    redirect_uris: tuple[str, ...] | list[str] = (),
) -> Program:
    client, secret = clients.create(
        controller_id=controller_id,
        name=kind,
        kind=kind,
        scopes=scopes,
        redirect_uris=redirect_uris,
        actor=ACTOR,
        now=clock.now(),
    )
    return Program(client, secret)
