"""Members of staff as they really act: sign in on the page, allow the program, use its token."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import requests

_TIMEOUT: Final = 30
_FOUND: Final = 302
_OK: Final = 200


class SignInFailed(Exception):
    """The sign-in did not lead where it should."""


class Person:
    """One member of staff, with a token got by authorization code and PKCE."""

    def __init__(self, name: str, token: str, url: str) -> None:
        self.name, self._url = name, url
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> requests.Response:
        """GET of an API path."""
        return requests.get(f"{self._url}/api/v1{path}", headers=self._headers, timeout=_TIMEOUT)

    def post(
        self, path: str, body: Mapping[str, Any] | None = None, *, version: str | None = None
    ) -> requests.Response:
        """POST to an API path; `version` is the ETag that the decision is about."""
        headers = self._headers | ({} if version is None else {"If-Match": version})
        return requests.post(
            f"{self._url}/api/v1{path}", json=body or {}, headers=headers, timeout=_TIMEOUT
        )


def sign_in(*, url: str, client_id: str, redirect: str, email: str, password: str) -> Person:
    """Sign in through the pages and let the console program act. Raises SignInFailed."""
    browser = requests.Session()
    _log_in(browser, url, email, password)
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect,
        "scope": "staff:act",
        "state": secrets.token_urlsafe(12),
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    page = browser.get(f"{url}/o/authorize", params=asked, timeout=_TIMEOUT)
    answer = browser.post(
        page.url,
        data={**_hidden_inputs(page.text), "allow": "Authorize"},
        allow_redirects=False,
        timeout=_TIMEOUT,
    )
    back = parse_qs(urlsplit(answer.headers.get("Location", "")).query)
    if answer.status_code != _FOUND or back.get("state") != [asked["state"]] or "code" not in back:
        raise SignInFailed(f"{email}: the consent page answered {answer.status_code}.")
    granted = browser.post(
        f"{url}/o/token",
        data={
            "grant_type": "authorization_code",
            "code": back["code"][0],
            "redirect_uri": redirect,
            "client_id": client_id,
            "code_verifier": verifier,
        },
        timeout=_TIMEOUT,
    )
    if granted.status_code != _OK:
        raise SignInFailed(f"{email}: the token endpoint answered {granted.status_code}.")
    return Person(email, granted.json()["access_token"], url)


def _log_in(browser: requests.Session, url: str, email: str, password: str) -> None:
    address = f"{url}/accounts/login/"
    page = browser.get(address, timeout=_TIMEOUT)
    form = {**_hidden_inputs(page.text), "login": email, "password": password}
    answer = browser.post(address, data=form, allow_redirects=False, timeout=_TIMEOUT)
    if answer.status_code != _FOUND:
        raise SignInFailed(f"{email}: sign-in answered {answer.status_code}.")


def _hidden_inputs(page: str) -> dict[str, str]:
    reader = _Inputs()
    reader.feed(page)
    return reader.found


class _Inputs(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "input" and named.get("type") == "hidden" and named.get("name"):
            self.found[str(named["name"])] = named.get("value") or ""
