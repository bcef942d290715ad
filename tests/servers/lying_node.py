"""A node that answers for another one, and changes what a test tells it to."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

#: Takes the method, its parameters and the honest result; returns what is answered.
Lie = Callable[[str, list[Any], Any], Any]


class Liar:
    """`lie` may be set at any time; `raw`, when set, is the whole body of every answer."""

    def __init__(self, behind: str) -> None:
        self.behind = behind
        self.lie: Lie = lambda _method, _parameters, result: result
        self.raw: bytes | None = None
        self.url = ""
        self.calls: list[tuple[str, list[Any]]] = []

    def answer(self, body: bytes) -> bytes:
        if self.raw is not None:
            return self.raw
        asked = json.loads(body)
        self.calls.append((asked["method"], asked.get("params", [])))
        headers = {"Content-Type": "application/json"}
        honest = requests.post(self.behind, data=body, headers=headers, timeout=10).json()
        if "result" in honest:
            honest["result"] = self.lie(asked["method"], asked["params"], honest["result"])
        return json.dumps(honest).encode()


@contextmanager
def before(behind: str) -> Iterator[Liar]:
    """A node at `url` in front of the one at `behind`."""
    liar = Liar(behind)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = liar.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Not at all."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    liar.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield liar
    finally:
        server.shutdown()
        server.server_close()
