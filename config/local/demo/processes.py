"""The processes of the demo, each with its own credentials in its environment and no others."""

import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from config.local.addresses import Addresses
from config.local.demo.chain import Chain
from config.local.postgres import EmbeddedPostgres
from config.local.supervisor import Program, bare_environment

DATABASE: Final = "lethe"
#: Celery workers and the queue that each takes.
QUEUES: Final = {"worker": "default", "eraser": "shred", "attester": "attest"}
_SERVERS: Final = ("web", "stream")
_SHORT: Final = "0.2"


@dataclass(slots=True)
class Installation:
    """What the processes need to know. `key_store` is public, `credentials` are per process."""

    addresses: Addresses
    postgres: EmbeddedPostgres
    key_store: Mapping[str, str]
    credentials: dict[str, Mapping[str, str]] = field(default_factory=dict)
    chain: Chain | None = None
    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def environment(self, process: str, *, database: str = DATABASE) -> dict[str, str]:
        """All of a process's environment. `command` has the owner's database credential."""
        urls = self.postgres.environment(database)
        if process == "stream":
            held = {"DATABASE_STREAM_URL": urls["DATABASE_STREAM_URL"]}
        elif process == "command":
            held = urls
        else:
            held = {"DATABASE_URL": urls["DATABASE_URL"]}
        folder = self.addresses.folder
        return {
            **bare_environment(),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONUNBUFFERED": "1",
            "LETHE_DEVELOPMENT": "1",
            "LETHE_PROCESS": process,
            "LETHE_SECRET_KEY": self.secret_key,
            "LETHE_STATE_DIR": str(folder / "state"),
            "LETHE_JOURNAL_DIR": str(folder / "journal"),
            "LETHE_JOURNAL_MIRRORS": str(folder / "journal-mirror"),
            "LETHE_PUBLIC_URL": self.addresses.url,
            "LETHE_STREAM_URL": self.addresses.stream_url,
            # What an erasure outwaits; the defaults are for networks and long pages.
            "LETHE_PAGE_DEADLINE": "2",
            "LETHE_DEK_CACHE": _SHORT,
            "LETHE_VAULT_TIMEOUT": "3",
            "LETHE_SWEEP_EVERY": "1",
            "LETHE_GATE_EVERY": "1",
            "LETHE_LOG_EVERY": "4",
            "LETHE_LOG_LEVEL": "INFO" if process in _SERVERS else "WARNING",
            "LETHE_CHAINS": str(self.chain.configuration) if self.chain else "",
            **self.key_store,
            **held,
            **self.credentials.get(process, {}),
        }

    def programs(self) -> list[Program]:
        """Every process, in the order in which they start."""
        ports = {"web": self.addresses.port, "stream": self.addresses.stream_port}
        commands = {name: _gunicorn(port) for name, port in ports.items()}
        commands |= {name: _celery_worker(name, queue) for name, queue in QUEUES.items()}
        commands["loggerd"] = [sys.executable, "manage.py", "loggerd"]
        commands["beat"] = _celery("beat", "--loglevel=WARNING", "--pidfile=")
        return [
            Program(name, command, self.environment(name)) for name, command in commands.items()
        ]


def _gunicorn(port: int) -> list[str]:
    return [
        sys.executable, "-m", "gunicorn", "config.wsgi", f"--bind=127.0.0.1:{port}",
        "--worker-class=gthread", "--workers=1", "--threads=8", "--timeout=120",
        "--no-control-socket", "--log-level=warning", f"--worker-tmp-dir={_shared_memory()}",
    ]  # fmt: skip


def _celery(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "celery", "--app=config.celery", "--quiet", *arguments]


def _celery_worker(name: str, queue: str) -> list[str]:
    return _celery(
        "worker", f"--queues={queue}", "--pool=solo", f"--hostname={name}@%h",
        "--loglevel=WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat",
    )  # fmt: skip


def _shared_memory() -> Path:
    """Gunicorn's heartbeat files belong in memory, where there is such a place."""
    memory = Path("/dev/shm")  # noqa: S108  gunicorn makes its files private
    return memory if memory.is_dir() else Path("/tmp")  # noqa: S108
