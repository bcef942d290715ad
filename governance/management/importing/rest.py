"""A small client of the public REST API: one connection, a token renewed in time, patience.

Standard library only. An outage (503, 429, no connection) is waited out up to `patience`
seconds; every request this client repeats is one that may be repeated.
"""

import base64
import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

NDJSON: Final = "application/x-ndjson"
_WAIT: Final = frozenset({429, 503})
_UNAUTHORIZED: Final = 401
_OK: Final = range(200, 300)
_RENEW_BEFORE: Final = 60.0
_LONGEST_WAIT: Final = 60.0
_TIMEOUT: Final = 300.0


class RestError(Exception):
    """The API refused, or could not be reached in time; the text is safe to show."""

    def __init__(self, text: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(text)
        self.status, self.code = status, code


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON, None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def code(self) -> str:
        """The problem's machine code, empty when there is none."""
        problem = self.json()
        return str(problem.get("code", "")) if isinstance(problem, dict) else ""


@dataclass(frozen=True, slots=True)
class Pacing:
    """How waiting is done; tests bring a clock of their own."""

    patience: float = 600.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    on_wait: Callable[[float, str], None] = lambda _seconds, _reason: None


class Connection:
    """One keep-alive connection to `url`. Redirects are not followed."""

    def __init__(self, url: str, *, pacing: Pacing | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise RestError(f"{url} is not an http or https address.")
        self._parts, self._pacing = parts, pacing or Pacing()
        self._connection: http.client.HTTPConnection | None = None

    def send(
        self, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str]
    ) -> Answer:
        """Answer of any status, after waiting out outages. Raises RestError when patience ends."""
        began, attempt = self._pacing.clock(), 0
        while True:
            attempt += 1
            try:
                answer = self.once(method, path, body=body, headers=headers)
                if answer.status not in _WAIT:
                    return answer
                seconds, reason = retry_after(answer), answer.code or f"status {answer.status}"
            except (OSError, http.client.HTTPException) as error:
                self.close()
                seconds, reason = min(2.0**attempt, 30.0), type(error).__name__
            self.wait(seconds, reason, since=began)

    def wait(self, seconds: float, reason: str, *, since: float) -> None:
        """Wait, unless that would end patience. Raises RestError."""
        if self._pacing.clock() + seconds - since > self._pacing.patience:
            raise RestError(f"Gave up waiting for {self._parts.netloc}: {reason}", code=reason)
        self._pacing.on_wait(seconds, reason)
        self._pacing.sleep(seconds)

    def now(self) -> float:
        """The pacing's clock."""
        return self._pacing.clock()

    def once(
        self, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str]
    ) -> Answer:
        """One attempt. Raises OSError and HTTPException."""
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request(method, self._parts.path.rstrip("/") + path, body, dict(headers))
        response = self._connection.getresponse()
        data = response.read()
        return Answer(
            response.status, {key.lower(): value for key, value in response.getheaders()}, data
        )

    def close(self) -> None:
        """End the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=context)
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT)


class Client:
    """An API client with client credentials."""

    def __init__(
        self,
        connection: Connection,
        *,
        client_id: str,
        client_secret: str,
        tokens: Connection | None = None,
    ) -> None:
        """`tokens` is where tokens are had, when that is another address."""
        self._connection, self._tokens = connection, tokens or connection
        pair = f"{client_id}:{client_secret}".encode()
        self._basic = "Basic " + base64.b64encode(pair).decode()
        self._token, self._ends_at = "", 0.0

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Any answer, without raising for its status."""
        sent = b"" if body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json", **(headers or {})}
        return self._send(method, path, sent, given)

    def bulk(self, path: str, items: Iterable[Any]) -> list[dict[str, Any]]:
        """Outcome lines of an NDJSON body, the summary last. Raises RestError."""
        began = self._connection.now()
        sent = b"".join(json.dumps(item).encode() + b"\n" for item in items)
        while True:
            answer = self._send("POST", path, sent, {"Content-Type": NDJSON, "Accept": NDJSON})
            if answer.status not in _OK:
                raise refusal(answer)
            lines = [json.loads(line) for line in answer.body.splitlines() if line.strip()]
            if lines and lines[-1].get("end"):
                return lines
            self._connection.wait(1.0, "the answer was cut short", since=began)

    def wait(self, seconds: float, reason: str, *, since: float) -> None:
        """Wait out an outage that an answer's lines told of. Raises RestError."""
        self._connection.wait(min(seconds, _LONGEST_WAIT), reason, since=since)

    def now(self) -> float:
        """The clock of `wait`."""
        return self._connection.now()

    def _send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        answer = self._authorized(method, path, body, headers)
        if answer.status == _UNAUTHORIZED:  # ended early: revoked, or our clock is slow
            self._token = ""
            answer = self._authorized(method, path, body, headers)
        return answer

    def _authorized(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        given = {**headers, "Authorization": f"Bearer {self.token()}"}
        return self._connection.send(method, path, body=body, headers=given)

    def token(self) -> str:
        """A token with at least a minute to live. Raises RestError."""
        if self._token and self._connection.now() < self._ends_at - _RENEW_BEFORE:
            return self._token
        answer = self._tokens.send(
            "POST",
            "/o/token",
            body=urlencode({"grant_type": "client_credentials"}).encode(),
            headers={
                "Authorization": self._basic,
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        if answer.status not in _OK:
            raise RestError("The client id or its secret is wrong.", status=answer.status)
        granted = answer.json()
        self._token = str(granted["access_token"])
        self._ends_at = self._connection.now() + float(granted["expires_in"])
        return self._token


def refusal(answer: Answer) -> RestError:
    """What an answer that is no success says, in one line."""
    problem = answer.json()
    if not isinstance(problem, dict):
        return RestError(f"The API answered {answer.status}.", status=answer.status)
    detail = problem.get("detail") or problem.get("error_description") or ""
    more = reasons(problem.get("errors", []))
    text = f"{answer.status} {problem.get('code', '')}: {detail} {more}".strip()
    return RestError(text, status=answer.status, code=answer.code)


def reasons(errors: Sequence[Mapping[str, Any]]) -> str:
    """Field errors of a problem or an outcome line, in one line."""
    return "; ".join(
        f"{error.get('field', '')}: {error.get('message') or error.get('code', '')}"
        for error in errors
    )


def retry_after(answer: Answer) -> float:
    """Seconds that Retry-After asks for, within a minute; 5 when it says nothing."""
    text = answer.headers.get("retry-after", "")
    return min(float(text), _LONGEST_WAIT) if text.isdigit() else 5.0
