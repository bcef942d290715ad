"""Runs the processes of an installation on one machine, for trying it: logs, watch, one stop."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_POLL: Final = 0.5
_GRACE: Final = 10.0
#: What a child may inherit; everything else, and every credential, is given by name.
_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE")


def bare_environment() -> dict[str, str]:
    """The part of our environment that holds no secret."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


@dataclass(frozen=True, slots=True)
class Program:
    """One process: its name, its command, and all of its environment."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


class Supervisor:
    """Starts programs in sessions of their own, so that Ctrl-C reaches only us.

    `on_death(name, status, log)` is called once, from a thread, for each that ends by itself.
    """

    def __init__(
        self,
        log_dir: Path,
        *,
        on_death: Callable[[str, int, Path], None],
        grace: float = _GRACE,
    ) -> None:
        """`grace` is how many seconds programs have to end when they are asked to."""
        self._log_dir, self._on_death, self._grace = log_dir, on_death, grace
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._watch_all, daemon=True)
        log_dir.mkdir(parents=True, exist_ok=True)

    def start(self, program: Program, *, directory: Path) -> None:
        """Start one; its output goes to its log file alone."""
        with self.log(program.name).open("ab") as log:
            child = subprocess.Popen(
                list(program.command),
                cwd=directory,
                env=dict(program.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        with self._lock:
            self._running[program.name] = child
        if not self._watch.is_alive():
            self._watch.start()

    def log(self, name: str) -> Path:
        """Where a program's output goes."""
        return self._log_dir / f"{name}.log"

    def is_running(self, name: str) -> bool:
        """Whether the program was started and lives."""
        with self._lock:
            child = self._running.get(name)
        return child is not None and child.poll() is None

    def stop(self) -> None:
        """End all for good."""
        self._stopping.set()
        self.end()

    def end(self, *names: str) -> None:
        """Ask programs to end, wait, and kill what does not; all of them when none is named.

        They may be started again.
        """
        with self._lock:
            chosen = names or tuple(self._running)
            children = [self._running.pop(name) for name in chosen if name in self._running]
        for child in children:
            _signal(child, signal.SIGTERM)
        ends_at = time.monotonic() + self._grace
        for child in children:
            try:
                child.wait(timeout=max(0.1, ends_at - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(child, signal.SIGKILL)
                child.wait()
            with contextlib.suppress(ProcessLookupError):  # workers that outlived their parent
                os.killpg(child.pid, signal.SIGKILL)

    def _watch_all(self) -> None:
        while not self._stopping.wait(_POLL):
            with self._lock:
                ended = {
                    name: child.returncode
                    for name, child in self._running.items()
                    if child.poll() is not None
                }
                for name in ended:
                    del self._running[name]
            for name, status in ended.items():
                self._on_death(name, status, self.log(name))


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a child's whole session: its workers too."""
    if child.poll() is None:
        os.killpg(child.pid, number)
