"""HTTP to the key store: many requests at once over kept connections, one set per thread.

Redirects are not followed, so that a token never goes to another host. Only requests marked
repeatable are sent again, and never after a time-out. Nothing here raises or prints a body.
"""

import os
import secrets
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import pycurl

#: More in flight at once create no more shares: the store commits what waits together.
_CONNECTIONS: Final = 32
_RETRIES: Final = 2
_PAUSE: Final = (0.05, 0.2)
#: Seconds after which a kept connection is no longer trusted to be open.
_KEPT: Final = 50
#: Longest wait for a socket, in seconds; curl's own timers are looked at in between.
_WAIT: Final = 0.05
_NO_CONTENT: Final = 204
#: Statuses that ask to come again: no answer, quota, eventual consistency, server trouble.
_TRY_AGAIN: Final = frozenset({0, 412, 429, 472, 473, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Request:
    """One call: method, path below /v1/, JSON body. `repeatable` says that twice does no harm."""

    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)
    repeatable: bool = False
    node: str | None = None


def read(path: str, *, node: str | None = None) -> Request:
    """A GET."""
    return Request("GET", path, repeatable=True, node=node)


def write(path: str, body: object, *, repeatable: bool = False) -> Request:
    """A POST of JSON."""
    return Request("POST", path, orjson.dumps(body), repeatable=repeatable)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; status 0 means that no answer did. The body may hold secrets."""

    status: int
    body: bytes = field(default=b"", repr=False)
    timed_out: bool = False

    @property
    def is_ok(self) -> bool:
        return self.status in {200, 204}

    @property
    def should_repeat(self) -> bool:
        """Whether the store might answer otherwise if asked again."""
        return self.status in _TRY_AGAIN and not self.timed_out

    def json(self) -> dict[str, Any]:
        """The body as an object; empty when it is none."""
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return value if isinstance(value, dict) else {}

    def data(self) -> dict[str, Any]:
        """The member `data` of the body; empty when it is none."""
        value = self.json().get("data")
        return value if isinstance(value, dict) else {}

    def says(self, *texts: str) -> bool:
        """Whether the store's error texts contain one of `texts`."""
        errors = self.json().get("errors")
        words = " ".join(map(str, errors)) if isinstance(errors, list) else ""
        return any(text in words for text in texts)


class _Connections:
    """The handles of one thread."""

    def __init__(self, count: int) -> None:
        self.multi = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_MAXCONNECTS, count)
        self.idle = [pycurl.Curl() for _ in range(count)]


class Transport:
    """Sends requests to one key store. Safe in threads and after fork."""

    def __init__(
        self,
        address: str,
        *,
        timeout: float,
        cacert: str = "",
        connections: int = _CONNECTIONS,
    ) -> None:
        """`timeout` is in seconds per request; connecting may take half of it."""
        self.address = address.rstrip("/")
        self._timeout, self._cacert, self._count = timeout, cacert, connections
        self._local = threading.local()
        self._parents: list[threading.local] = []
        after_fork_in_child(self)

    def send(self, requests: Sequence[Request], *, token: str | None = None) -> list[Answer]:
        """Send all, up to the number of connections at once; answers in order."""
        answers = self._send(requests, token)
        for _ in range(_RETRIES):
            again = [
                index
                for index, answer in enumerate(answers)
                if answer.should_repeat and requests[index].repeatable
            ]
            if not again:
                break
            time.sleep(_PAUSE[0] + secrets.randbelow(1000) / 1000 * (_PAUSE[1] - _PAUSE[0]))
            repeated = self._send([requests[index] for index in again], token)
            for index, answer in zip(again, repeated, strict=True):
                answers[index] = answer
        return answers

    def forget_connections(self) -> None:
        """After a fork: the parent's sockets are neither used nor closed here."""
        self._parents.append(self._local)
        self._local = threading.local()

    def _connections(self) -> _Connections:
        connections: _Connections | None = getattr(self._local, "connections", None)
        if connections is None:
            connections = self._local.connections = _Connections(self._count)
        return connections

    def _send(self, requests: Sequence[Request], token: str | None) -> list[Answer]:
        connections = self._connections()
        answers: list[Answer] = [Answer(0)] * len(requests)
        headers = ["X-Vault-Request: true", "Content-Type: application/json", "Expect:"]
        if token is not None:
            headers.append(f"X-Vault-Token: {token}")
        waiting = deque(enumerate(requests))
        active: dict[pycurl.Curl, tuple[int, list[bytes]]] = {}
        try:
            while waiting or active:
                while waiting and connections.idle:
                    index, request = waiting.popleft()
                    handle, chunks = connections.idle.pop(), list[bytes]()
                    active[handle] = index, chunks
                    self._prepare(handle, request, headers, chunks)
                    connections.multi.add_handle(handle)
                _advance(connections.multi)
                _collect(connections, active, answers)
        finally:
            for handle in active:  # only when interrupted: what is under way is given up
                connections.multi.remove_handle(handle)
                handle.close()
                connections.idle.append(pycurl.Curl())
        return answers

    def _prepare(
        self, handle: pycurl.Curl, request: Request, headers: list[str], chunks: list[bytes]
    ) -> None:
        handle.reset()
        handle.setopt(pycurl.URL, f"{request.node or self.address}/v1/{request.path}")
        handle.setopt(pycurl.HTTPHEADER, headers)
        handle.setopt(pycurl.WRITEFUNCTION, chunks.append)
        handle.setopt(pycurl.FOLLOWLOCATION, 0)
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.NOPROXY, "*")
        handle.setopt(pycurl.TCP_NODELAY, 1)
        handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        handle.setopt(pycurl.MAXAGE_CONN, _KEPT)
        handle.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(self._timeout * 500)))
        handle.setopt(pycurl.TIMEOUT_MS, max(1, int(self._timeout * 1000)))
        if self._cacert:
            handle.setopt(pycurl.CAINFO, self._cacert)
        if request.method == "POST":
            handle.setopt(pycurl.POSTFIELDS, request.body or b"")
        elif request.method != "GET":
            handle.setopt(pycurl.CUSTOMREQUEST, request.method)


def after_fork_in_child(transport: Transport) -> None:
    """Let go of the parent's connections in each child, for as long as `transport` lives."""
    known = weakref.ref(transport)

    def forget() -> None:
        living = known()
        if living is not None:
            living.forget_connections()

    os.register_at_fork(after_in_child=forget)


def _advance(multi: pycurl.CurlMulti) -> None:
    status, running = multi.perform()
    while status == pycurl.E_CALL_MULTI_PERFORM:
        status, running = multi.perform()
    if running and multi.select(_WAIT) == -1:
        time.sleep(0.001)  # nothing to wait on yet, as while a name is resolved


def _collect(
    connections: _Connections,
    active: dict[pycurl.Curl, tuple[int, list[bytes]]],
    answers: list[Answer],
) -> None:
    left = 1
    while left:
        left, done, failed = connections.multi.info_read()
        lost = {handle: code for handle, code, _ in failed}
        for handle in (*done, *lost):
            index, chunks = active.pop(handle)
            if handle in lost:
                timed_out = lost[handle] == pycurl.E_OPERATION_TIMEDOUT
                answers[index] = Answer(0, timed_out=timed_out)
            else:
                answers[index] = _answer(handle, b"".join(chunks))
            connections.multi.remove_handle(handle)
            connections.idle.append(handle)


def _answer(handle: pycurl.Curl, body: bytes) -> Answer:
    """What came back, or no answer where the connection ended inside the headers.

    curl takes such an answer for one that has no body, and its status for final.
    """
    status = handle.getinfo(pycurl.RESPONSE_CODE)
    if body or status == _NO_CONTENT or handle.getinfo(pycurl.CONTENT_LENGTH_DOWNLOAD_T) == 0:
        return Answer(status, body)
    return Answer(0)
