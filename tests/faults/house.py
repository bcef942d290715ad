"""The product's own processes, running on, with servers behind them that a test may break."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

from config.local.addresses import free_port
from tests.faults.processes import Processes, Running
from tests.faults.waiting import until
from tests.functional.api.cast import Caller, Study

_SHORT: Final = "0.2"
#: So that an erasure, and a round of the eraser, take no longer than a test may.
_QUICK: Final = {
    "LETHE_SWEEP_EVERY": _SHORT,
    "LETHE_GATE_EVERY": _SHORT,
    "LETHE_PAGE_DEADLINE": _SHORT,
    "LETHE_DEK_CACHE": _SHORT,
    "LETHE_VAULT_TIMEOUT": "5",
    "LETHE_EFFECT_BACKOFF": _SHORT,
}


@dataclass(frozen=True)
class Answer:
    """An answer of the web process; status 0 when none came."""

    status: int
    body: Any = None

    @property
    def code(self) -> str:
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""

    @property
    def outcome(self) -> str:
        """The status, and the code of a problem."""
        return f"{self.status} {self.code}".strip()


@dataclass
class House:
    """A web process at a port, an eraser and an attester that sweep for ever."""

    study: Study
    processes: Processes
    port: int
    running: dict[str, Running] = field(default_factory=dict)

    def get(self, path: str, *, by: Caller | None = None) -> Answer:
        return self._send("GET", path, None, by or self.study.cast.clinic.source(), {})

    def post(
        self, path: str, body: Any, *, key: str | None = None, by: Caller | None = None
    ) -> Answer:
        more = {} if key is None else {"Idempotency-Key": key}
        data = json.dumps(body).encode()
        return self._send("POST", path, data, by or self.study.cast.clinic.source(), more)

    def ready(self) -> Answer:
        return self._call("GET", "/readyz", None, {})

    def reason(self) -> str:
        """The gate's, as /readyz gives it; empty where it gives none."""
        body = self.ready().body
        return str(body["gate"]["reason"]) if isinstance(body, dict) and "gate" in body else ""

    def wait_until_open(self) -> None:
        until(lambda: self.reason() == "in-step", "the gate to open")

    def assert_all_run(self) -> None:
        """Nothing ended: whatever was broken, nobody has to start anything of ours."""
        for name, running in self.running.items():
            assert running.is_alive, f"{name} has ended: {running.said()}"

    def _send(
        self, method: str, path: str, data: bytes | None, by: Caller, more: dict[str, str]
    ) -> Answer:
        headers = {"Content-Type": "application/json", **by.headers, **more}
        return self._call(method, f"/api/v1{path}", data, headers)

    def _call(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=data, headers=headers)
            answer = connection.getresponse()
            return Answer(answer.status, _decoded(answer.read()))
        except (OSError, HTTPException):
            return Answer(0)
        finally:
            connection.close()


@contextmanager
def running(study: Study, processes: Processes) -> Iterator[House]:
    """All three processes, until the gate is open."""
    port = free_port()
    house = House(study, processes, port)
    web = ("-m", "gunicorn", "config.wsgi", f"--bind=127.0.0.1:{port}", "--worker-class=gthread",
           "--workers=1", "--threads=4", "--no-control-socket", "--log-level=warning")  # fmt: skip
    commands = {
        "web": web,
        "eraser": ("manage.py", "sweep", "shred", "--forever"),
        "attester": ("manage.py", "sweep", "attest", "--forever"),
    }
    more = _QUICK | {"LETHE_ALLOWED_HOSTS": "127.0.0.1"}
    with ExitStack() as stack:
        for name, command in commands.items():
            house.running[name] = stack.enter_context(processes.running(name, *command, **more))
        house.wait_until_open()
        yield house


class Crowd:
    """Callers that go on whatever happens, and what they were answered."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, Answer]]] = {}
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()

    def add(self, name: str, act: Callable[[int], Answer]) -> None:
        """Call `act` with 0, 1, 2 and so on."""
        answers = self.answers[name] = []

        def work() -> None:
            for number in range(1_000_000):
                if self._over.is_set():
                    return
                answers.append((number, act(number)))

        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    def wait_for_more(self, count: int = 5) -> None:
        """Until each caller has got so many further good answers."""
        wanted = {name: self.good(name) + count for name in self.answers}
        until(lambda: all(self.good(n) >= c for n, c in wanted.items()), "callers to be answered")

    def good(self, name: str) -> int:
        return sum(answer.status in {200, 201} for _, answer in self.answers[name])

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def outcomes(self) -> Counter[str]:
        """How often each kind of answer came."""
        return Counter(a.outcome for answers in self.answers.values() for _, a in answers)


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
