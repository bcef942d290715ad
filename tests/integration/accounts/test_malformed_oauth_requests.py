"""Nonsense at the OAuth endpoints is answered with 4xx or a redirect, never with a 500."""

import pytest
from django.test import Client

from accounts.models import User
from tests.integration.accounts.conftest import CHALLENGE, REDIRECT, Program

pytestmark = pytest.mark.django_db
_ODD = ["", "\x00", "x" * 10_000, "ünïcödé", "%zz", "a b", "'\"<>"]
_FIELDS = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "nonce",
    "claims",
    "resource",
    "code_challenge_method",
    "prompt",
    "request_uri",
]


def _browser(user: User) -> Client:
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


@pytest.mark.parametrize("value", _ODD, ids=range(len(_ODD)))
@pytest.mark.parametrize("field", _FIELDS)
class TestAuthorize:
    def test_survives(self, console: Program, bo: User, field: str, value: str) -> None:
        asked = {
            "client_id": console.client.client_id,
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": "staff:act",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            field: value,
        }
        browser = _browser(bo)

        shown = browser.get("/o/authorize", asked)
        sent = browser.post("/o/authorize", {**asked, "allow": "Authorize"})

        assert shown.status_code < 500
        assert sent.status_code < 500


@pytest.mark.parametrize("value", _ODD, ids=range(len(_ODD)))
@pytest.mark.parametrize(
    "field",
    [
        "client_id",
        "client_secret",
        "code",
        "code_verifier",
        "redirect_uri",
        "refresh_token",
        "scope",
        "resource",
    ],
)
@pytest.mark.parametrize("grant", ["client_credentials", "authorization_code", "refresh_token"])
class TestToken:
    def test_survives(
        self, source: Program, console: Program, grant: str, field: str, value: str
    ) -> None:
        program = source if grant == "client_credentials" else console
        body = {
            "grant_type": grant,
            "client_id": program.client.client_id,
            "client_secret": program.secret,
            "code": "x",
            "code_verifier": "x",
            "refresh_token": "x",
            field: value,
        }

        response = Client().post("/o/token", body)

        assert response.status_code < 500


@pytest.mark.parametrize("query", ["?%", "?a=%zz", "?a=1&a=2;&&=", "?\xff", "?grant_type=x"])
@pytest.mark.parametrize("path", ["/o/authorize", "/o/token", "/o/revoke_token"])
class TestQueryString:
    def test_survives(self, bo: User, path: str, query: str) -> None:
        browser = _browser(bo)

        answers = [
            browser.get(path + query).status_code,
            browser.post(path + query).status_code,
            browser.put(path + query).status_code,
            browser.post(path + query, {"token": "x"}, content_type="application/json").status_code,
        ]

        assert [status for status in answers if status >= 500] == []


class TestRevoke:
    @pytest.mark.parametrize("value", _ODD, ids=range(len(_ODD)))
    @pytest.mark.parametrize("field", ["token", "token_type_hint", "client_id", "client_secret"])
    def test_survives(self, console: Program, field: str, value: str) -> None:
        body = {"token": "x", "client_id": console.client.client_id, field: value}

        response = Client().post("/o/revoke_token", body)

        assert response.status_code < 500
