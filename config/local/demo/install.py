"""Makes the installation: key store, tables, people, clients, processes, as an operator would."""

import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

import psycopg
import requests

from config.local import postgres
from config.local.addresses import Addresses, NotPossible
from config.local.demo import chain, commands
from config.local.demo.key_store import KeyStore
from config.local.demo.people import Person, sign_in
from config.local.demo.processes import DATABASE, Installation
from config.local.demo.scene import Credentials, Pipeline, Scene
from config.local.demo.terminal import Terminal, wait_for
from config.local.postgres import EmbeddedPostgres
from config.local.supervisor import Supervisor
from governance.management.importing.rest import Client, Connection
from vault.adapters.hashicorp.layout import Layout
from vault.adapters.hashicorp.setup import Administration

CONTROLLER: Final = "demo"
#: Who works here, by the part they play: no one may do two acts of one decision, whatever roles
#: they hold, so Ana holds two.
STAFF: Final = {
    "analyst": "ana@demo.example",
    "compliance-officer": "otto@demo.example",
    "key-custodian": "kim@demo.example",
}
_ROLES: Final = {
    "analyst": "analyst,compliance-officer", "key-custodian": "key-custodian,operator",
}  # fmt: skip
_SOURCE_SCOPES: Final = ("records:write", "records:read", "consent:write", "requests:write")
_POOL: Final = 4
_STREAM: Final = "demo"
#: Process → the role it logs in with; the stream gets its login once it has a purpose.
_LOGINS: Final = {
    "web": "web", "worker": "worker", "eraser": "eraser", "attester": "attester", "command": "beat",
    "loggerd": "loggerd",
}  # fmt: skip
_PATIENCE: Final = 60.0
_PASSWORD: Final = re.compile(r"^(\S+@\S+) made .*shown only now: (\S+)$", re.MULTILINE)
_CONTROLLER_ID: Final = re.compile(r"made: ([0-9a-f-]{36})")


class Install:
    """The demo's installation, and what an operator keeps in hand while it is made."""

    def __init__(
        self,
        terminal: Terminal,
        addresses: Addresses,
        server: EmbeddedPostgres,
        store: KeyStore,
        supervisor: Supervisor,
    ) -> None:
        self.terminal, self.addresses, self.store = terminal, addresses, store
        self._server, self._supervisor = server, supervisor
        self.passwords: dict[str, str] = {}
        self.installation = Installation(addresses, server, store.environment)

    def make(self) -> Scene:
        """Set up and start everything but the stream process, which waits for its purpose."""
        with self.terminal.busy("Key store: mounts, keys, and a login per process"):
            self._set_up_key_store()
        with self.terminal.busy("Tables, journal, people, clients"):
            printed = self.run(*self._commands())
        self.passwords = dict(_PASSWORD.findall(printed["bootstrap"]))
        controller = _CONTROLLER_ID.search(printed["bootstrap"])
        if controller is None or set(self.passwords) != set(STAFF.values()):
            raise NotPossible("bootstrap did not say what it made.")
        source = pairs(printed["create_client source"])
        console = pairs(printed["create_client console"])
        self._set_up_chain()
        with self.terminal.busy("Processes web, worker, eraser, attester, beat, loggerd"):
            self.start("web", "worker", "eraser", "attester", "beat", "loggerd")
        staff = {role: self._sign_in(console["client_id"], email) for role, email in STAFF.items()}
        self.terminal.say("Three people signed in with authorization code and PKCE.")
        return Scene(
            terminal=self.terminal,
            installation=self.installation,
            controller_id=controller.group(1),
            source_credentials=Credentials(source["client_id"], source["client_secret"]),
            source=Client(Connection(self.addresses.url), **_secret(source)),
            staff=staff,
        )

    def attach_stream(self, purpose: str) -> None:
        """Give the stream process a login that opens this purpose and no other."""
        administration = self._administration()
        if administration is None:
            return
        with psycopg.connect(self._server.url(postgres.OWNER, DATABASE)) as connection:
            keys = connection.execute(
                "SELECT k.name FROM vault_purposekey k JOIN governance_purpose p"
                " ON p.id = k.purpose_id WHERE p.code = %s",
                [purpose],
            ).fetchall()
        administration.attach(stream=_STREAM, purposes=[name for (name,) in keys])
        self.installation.credentials["stream"] = administration.issue(
            f"stream-{_STREAM}"
        ).environment()

    def _set_up_key_store(self) -> None:
        administration = self._administration()
        if administration is None:
            return
        administration.install(pool=_POOL)
        for process, role in _LOGINS.items():
            self.installation.credentials[process] = administration.issue(role).environment()

    def _set_up_chain(self) -> None:
        """A local chain where npm is there; without it the log is not anchored."""
        found = chain.find(self.addresses.project, self.addresses.folder)
        if found is None:
            self.terminal.say("No Node.js with npm: the log is not anchored on a chain.")
            return
        chain.start(found, self._supervisor)
        self.installation.chain = found
        with self.terminal.busy("A local chain (anvil), a sender's key, and the log's contract"):
            said = chain.deploy(found, self, STAFF["key-custodian"])
        self.terminal.say(said)

    def _administration(self) -> Administration | None:
        """The administrator's acts; None for the keyring, which needs none."""
        if not self.store.is_real:
            return None
        settings = self.store.environment
        return Administration(
            address=settings["LETHE_VAULT_ADDR"],
            token=self.store.token,
            layout=Layout(settings["LETHE_VAULT_PREFIX"]),
            cacert=settings.get("LETHE_VAULT_CACERT", ""),
        )

    def run(self, *given: list[str]) -> dict[str, str]:
        """What each command printed, by its name (and a client's kind)."""
        environment = self.installation.environment("command")
        printed = commands.run(
            given, environment=environment, directory=str(self.addresses.project)
        )
        return {_label(command): text for command, text in zip(given, printed, strict=True)}

    def start(self, *names: str, until: str = "/readyz") -> None:
        """Start processes and wait until those that serve requests answer 200 to `until`.

        A stream is not ready while the gate is closed. Raises NotPossible.
        """
        for program in self.installation.programs():
            if program.name in names:
                self._supervisor.start(program, directory=self.addresses.project)
        for name, url in (("web", self.addresses.url), ("stream", self.addresses.stream_url)):
            if name in names:
                self._wait(name, url + until)

    def stop(self, *names: str) -> None:
        """Stop processes, all that were started when none is named."""
        self._supervisor.end(*names)

    def manage(self, process: str, *arguments: str) -> list[str]:
        """The lines that a command of its own prints, with the credentials of `process`.

        Raises NotPossible with the last line of the error.
        """
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.addresses.project,
            env=self.installation.environment(process),
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,  # Ctrl-C is ours to answer
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no error was printed"])[-1]
            raise NotPossible(f"{arguments[0]} as {process} stopped: {last}")
        return done.stdout.splitlines()

    def pipeline(self, client: Mapping[str, str]) -> Pipeline:
        """A pipeline that has its tokens from the web processes."""
        web = Connection(self.addresses.url)
        stream = Connection(self.addresses.stream_url)
        return Pipeline(
            credentials=Credentials(client["client_id"], client["client_secret"]),
            web=Client(web, **_secret(client)),
            stream=Client(stream, **_secret(client), tokens=Connection(self.addresses.url)),
        )

    def _sign_in(self, console_id: str, email: str) -> Person:
        return sign_in(
            url=self.addresses.url,
            client_id=console_id,
            redirect=self._redirect,
            email=email,
            password=self.passwords[email],
        )

    @property
    def _redirect(self) -> str:
        return f"{self.addresses.url}/signed-in"

    def _commands(self) -> list[list[str]]:
        staff = [f"--staff={email}:{_ROLES.get(part, part)}" for part, email in STAFF.items()]
        scopes = [f"--scope={scope}" for scope in _SOURCE_SCOPES]
        return [
            ["migrate", "--database=owner", "--verbosity=0"],
            ["bootstrap", f"--controller={CONTROLLER}", "--name=Demo Research Institute",
             "--country=DE", "--timezone=Europe/Berlin", *staff],
            ["register_purpose_keys"],
            ["found_journal"],
            ["create_client", "--kind=source", f"--controller={CONTROLLER}", *scopes],
            ["create_client", "--kind=console", f"--controller={CONTROLLER}",
             "--scope=staff:act", f"--redirect-uri={self._redirect}"],
        ]  # fmt: skip

    def _wait(self, name: str, url: str) -> None:
        def look() -> bool | None:
            if not self._supervisor.is_running(name):
                log = self._supervisor.log(name)
                raise NotPossible(f"The process {name} did not start; see {log}")
            try:
                return requests.get(url, timeout=5).ok or None
            except (requests.ConnectionError, requests.Timeout):
                return None

        wait_for(
            look,
            seconds=_PATIENCE,
            otherwise=lambda: NotPossible(f"The process {name} is not ready; see its log."),
        )


def pairs(printed: str) -> dict[str, str]:
    """The `name: value` lines that a command printed."""
    return dict(line.split(": ", 1) for line in printed.splitlines() if ": " in line)


def _secret(client: Mapping[str, str]) -> dict[str, Any]:
    return {"client_id": client["client_id"], "client_secret": client["client_secret"]}


def _label(command: list[str]) -> str:
    kind = next((part.removeprefix("--kind=") for part in command if part[:7] == "--kind="), "")
    return f"{command[0]} {kind}".strip()
