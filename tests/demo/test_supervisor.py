import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.local.supervisor import Program, Supervisor, bare_environment

ENDS = "import sys; print('last words'); sys.exit(7)"
#: A parent and a child of its own, both of which say who they are and then wait.
STAYS = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""


class Deaths:
    """Who ended by themselves; `heard` is set with the first."""

    def __init__(self) -> None:
        self.found: list[tuple[str, int]] = []
        self.heard = threading.Event()

    def __call__(self, name: str, status: int, _log: Path) -> None:
        self.found.append((name, status))
        self.heard.set()


@pytest.fixture
def deaths() -> Deaths:
    return Deaths()


@pytest.fixture
def supervisor(tmp_path: Path, deaths: Deaths) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path / "logs", on_death=deaths, grace=1)
    yield made
    made.stop()


def _start(supervisor: Supervisor, code: str, *, name: str = "one", **environment: str) -> None:
    program = Program(name, [sys.executable, "-c", code], bare_environment() | environment)
    supervisor.start(program, directory=Path.cwd())


def _first_line(log: Path) -> str:
    while True:
        text = log.read_text()
        if text.endswith("\n"):
            return text.splitlines()[0]


def _is_alive(pid: int) -> bool:
    """A zombie has ended; only its parent has not looked."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait_until_dead(pid: int) -> None:
    """Signals are delivered when the machine gets to it."""
    ends_at = time.monotonic() + 10
    while _is_alive(pid):
        assert time.monotonic() < ends_at, "it was never stopped"


class TestSupervisor:
    def test_says_once_who_ended_and_how(self, supervisor: Supervisor, deaths: Deaths) -> None:
        _start(supervisor, ENDS)

        assert deaths.heard.wait(20)
        assert deaths.found == [("one", 7)]
        assert supervisor.log("one").read_text() == "last words\n"
        assert not supervisor.is_running("one")

    def test_stops_a_program_and_what_it_started(
        self, supervisor: Supervisor, deaths: Deaths
    ) -> None:
        _start(supervisor, STAYS)
        grandchild = int(_first_line(supervisor.log("one")))
        assert supervisor.is_running("one")

        supervisor.stop()

        _wait_until_dead(grandchild)
        assert not deaths.found

    def test_ends_one_by_name_and_starts_it_again(
        self, supervisor: Supervisor, deaths: Deaths
    ) -> None:
        _start(supervisor, STAYS)
        child = int(_first_line(supervisor.log("one")))
        _start(supervisor, STAYS, name="other")

        supervisor.end("one")

        _wait_until_dead(child)
        assert supervisor.is_running("other")
        assert not supervisor.is_running("one")
        _start(supervisor, STAYS)
        assert supervisor.is_running("one")
        assert not deaths.found

    def test_kills_what_does_not_stop(self, supervisor: Supervisor) -> None:
        _start(supervisor, STUBBORN)
        assert _first_line(supervisor.log("one")) == "ready"

        supervisor.stop()

        assert not supervisor.is_running("one")

    def test_gives_a_program_its_own_environment_only(
        self, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, deaths: Deaths
    ) -> None:
        monkeypatch.setenv("VAULT_TOKEN", "an administrator's")
        _start(supervisor, "import os; print(sorted(os.environ))", LETHE_PROCESS="web")

        assert deaths.heard.wait(20)
        names = supervisor.log("one").read_text()
        assert "LETHE_PROCESS" in names
        assert "VAULT_TOKEN" not in names


class TestBareEnvironment:
    def test_holds_nothing_of_ours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("LETHE_SECRET_KEY", "DATABASE_OWNER_URL", "VAULT_TOKEN"):
            monkeypatch.setenv(name, "x")

        assert not {name for name in bare_environment() if name.startswith(("LETHE", "DATA", "V"))}
        assert bare_environment()["PATH"] == os.environ["PATH"]
