"""What the tests of the key store share: raw calls as a process, and scripted servers."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import orjson
import pytest

from tests.servers.vaultd import VaultServer
from vault.adapters.hashicorp.client import Client
from vault.adapters.hashicorp.transport import Answer, Request
from vault.ports import FreshShare, ShareRef

CONTROLLER = UUID("0191e7a0-0000-7000-8000-000000000001")
Act = Callable[[str, str, str, object], Answer]
#: What a scripted server does with a request: answers (status, body), or None to break it off.
Script = Callable[[str, str], tuple[int, object] | None]


@pytest.fixture(scope="session")
def client_of(vault_server: VaultServer) -> Callable[[str], Client]:
    """One logged-in client per role."""
    return cache(vault_server.client)


@pytest.fixture(scope="session")
def act(client_of: Callable[[str], Client]) -> Act:
    """Send one request as a role. A 403 is of a living token: the client looks it up."""

    def send(role: str, method: str, path: str, body: object = None) -> Answer:
        content = None if method in {"GET", "LIST", "DELETE"} else orjson.dumps(body or {})
        return client_of(role).send([Request(method, path, content)])[0]

    return send


@pytest.fixture
def share(vault_server: VaultServer) -> FreshShare:
    """A living share."""
    (made,) = vault_server.custodian("web").create_shares([ShareRef(os.urandom(16), CONTROLLER)])
    assert isinstance(made, FreshShare)
    return made


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # or the kernel lets some of many connections at once wait

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[tuple[str, str]] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.removeprefix("/v1/")
        if path == "auth/approle/login":
            auth = {"client_token": "hvs.scripted", "lease_duration": 900}
            self._answer(200, {"auth": auth})
            return
        self.server.requests.append((self.command, path))
        answer = self.server.script(self.command, path)
        if answer is None:
            self.close_connection = True
        else:
            self._answer(*answer)

    def _answer(self, status: int, body: object) -> None:
        content = orjson.dumps(body)
        self.send_response(status)
        if isinstance(body, dict) and "location" in body:
            self.send_header("Location", body["location"])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class ScriptedServer:
    """A server on loopback that logs any process in and follows a script for the rest."""

    def __init__(self, script: Script) -> None:
        self._server = Server(script)
        self.requests = self._server.requests
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def client(self, *, timeout: float = 2.0) -> Client:
        return Client(
            address=self.address, role_id="role-id", secret_id="the-secret-id", timeout=timeout
        )


@pytest.fixture
def scripted() -> Iterator[Callable[[Script], ScriptedServer]]:
    """Start scripted servers; they end with the test."""
    with ExitStack() as running:

        def start(script: Script) -> ScriptedServer:
            server = ScriptedServer(script)
            running.enter_context(server.running())
            return server

        yield start
