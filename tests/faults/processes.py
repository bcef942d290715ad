"""The product's own processes as subprocesses of a test, on the test's database and Vault."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db import connections

from tests.servers.vaultd import VaultServer

_PROJECT = Path(__file__).resolve().parents[2]
_PATIENCE = 60


@dataclass(frozen=True)
class Running:
    """A process that runs on, and what it has written."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4000:]


class Processes:
    """Runs commands as web, eraser or attester, each with that process's credential only."""

    def __init__(self, server: VaultServer, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._credentials = {
            role: server.administration.issue(role).environment()
            for role in ("web", "eraser", "attester", "loggerd")
        }

    def sweep(self, process: str, queue: str, *, kill_at: str | None = None) -> int:
        """Run what is due, and return the exit status; negative when a signal ended it."""
        return self.run(process, "manage.py", "sweep", queue, kill_at=kill_at).returncode

    def run(
        self, process: str, *command: str, kill_at: str | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Python with `command` as `process`, to its end; `more` goes into its environment."""
        environment = self._environment(process) | more
        if kill_at is not None:
            environment["LETHE_KILL_AT"] = kill_at
        done = subprocess.run(
            [sys.executable, *command],
            cwd=_PROJECT,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        assert done.returncode in {0, -signal.SIGKILL}, done.stderr[-2000:]
        return done

    @contextmanager
    def running(self, process: str, *command: str, **more: str) -> Iterator[Running]:
        """Run Python with `command` as `process` for the length of the block."""
        log = self._folder / f"{process}.log"
        with log.open("ab") as output:
            started = subprocess.Popen(
                [sys.executable, *command],
                cwd=_PROJECT,
                env=self._environment(process) | more,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            yield Running(started, log)
        finally:
            started.terminate()
            try:
                started.wait(timeout=_PATIENCE)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()

    def _environment(self, process: str) -> dict[str, str]:
        settings = connections["default"].settings_dict
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {
            **inherited,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "LETHE_DEVELOPMENT": "1",
            "LETHE_PROCESS": process,
            "LETHE_ALLOWED_HOSTS": "testserver",
            "DATABASE_URL": (
                f"postgresql://{settings['USER']}@:{settings['PORT']}/{settings['NAME']}"
                f"?host={settings['HOST']}"
            ),
            "LETHE_KEY_STORE": "hashicorp",
            "LETHE_VAULT_ADDR": self._server.address,
            "LETHE_VAULT_PREFIX": self._server.layout.prefix,
            "LETHE_STATE_DIR": str(self._folder / "state"),
            "LETHE_JOURNAL_DIR": str(self._folder / "journal"),
            "LETHE_JOURNAL_MIRRORS": str(self._folder / "mirror"),
            "LETHE_EFFECT_LEASE": "1",
            **self._credentials[process],
        }
