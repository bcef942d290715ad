"""A scripted stand-in of the REST API: the outside that an import meets, on a real socket."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Script:
    """What it answers: one of `outages` per request (None: none), then outcomes.

    `tokens` counts how many were asked for.
    """

    outages: list[int | None] = field(default_factory=list)
    stop_after: int | None = None
    token_life: int = 600
    tokens: int = 0
    revoked: set[str] = field(default_factory=set)
    records: dict[tuple[str, str], Any] = field(default_factory=dict)
    subjects: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    refused_subjects: set[str] = field(default_factory=set)

    def outcome(self, path: str, item: dict[str, Any]) -> dict[str, Any]:
        if path.endswith("subjects:bulk"):
            name = item["references"][0]["value"]
            if name in self.refused_subjects:
                return {"outcome": "erased"}
            known = name in self.subjects
            self.subjects.add(name)
            return {"outcome": "existing" if known else "created"}
        name, key = item["subject"]["value"], item["reference"]
        if name not in self.subjects:
            return {"outcome": "unknown-subject"}
        if item["document"].get("visits", 0) < 0:
            problem = {"field": "document.visits", "code": "minimum", "message": "Too small."}
            return {"outcome": "invalid-input", "errors": [problem]}
        before = self.records.get((name, key))
        self.records[name, key] = item["document"]
        if before is None:
            return {"outcome": "created"}
        return {"outcome": "unchanged" if before == item["document"] else "updated"}


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """The address of a server that plays `script`."""
    handler = type("Handler", (_Handler,), {"script": script})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    script: Script
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/o/token":
            self._token()
            return
        self.script.requests.append(self.path)
        token = self.headers["Authorization"].removeprefix("Bearer ")
        if token in self.script.revoked:
            self._answer(401, {"code": "not-authenticated"})
        elif status := self.script.outages.pop(0) if self.script.outages else None:
            self._answer(status, {"code": "key-store-unavailable"}, {"Retry-After": "7"})
        else:
            self._bulk([json.loads(line) for line in body.splitlines()])

    def _token(self) -> None:
        self.script.tokens += 1
        granted = {
            "access_token": f"token-{self.script.tokens}",
            "expires_in": self.script.token_life,
        }
        self._answer(200, granted)

    def _bulk(self, items: list[dict[str, Any]]) -> None:
        lines: list[dict[str, Any]] = []
        stop, self.script.stop_after = self.script.stop_after, None
        for number, item in enumerate(items, start=1):
            if stop is not None and number > stop:
                lines.append({"line": number, "outcome": "key-store-unavailable"})
            else:
                lines.append({"line": number, **self.script.outcome(self.path, item)})
        summary: dict[str, Any] = {"end": True, "lines": len(lines)}
        if stop is not None and stop < len(items):
            summary |= {"code": "key-store-unavailable", "retry_after": 3}
        self._send(200, b"".join(json.dumps(line).encode() + b"\n" for line in [*lines, summary]))

    def _answer(
        self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        self._send(status, json.dumps(body).encode(), headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
