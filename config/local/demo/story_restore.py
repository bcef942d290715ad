"""End of the story: the database is put back to an old dump, and what must not come back does not.

The backup is taken while a pipeline has a lease open, before one person withdraws and another is
erased. After the restore the living processes answer 503, and take a withdrawal all the same,
until the journal was replayed by the eraser and read back by the attester.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests

from config.local.demo import dumps, story_log, story_reading, story_registry
from config.local.demo.install import Install
from config.local.demo.scene import Credentials, Scene, StoryFailed, expect, succeed
from config.local.demo.terminal import wait_for
from governance.management.importing.rest import Client, Connection

_OK, _CREATED, _GONE, _CLOSED = 200, 201, 410, 503
_CODE: Final = "restore-replay-required"
_PATIENCE: Final = 60.0
_TIMEOUT: Final = 30
_EVERYTHING: Final = ("web", "stream", "worker", "eraser", "attester", "beat", "loggerd")


@dataclass(frozen=True, slots=True)
class Backup:
    """A dump in PostgreSQL's custom format, and the lease that was open when it was taken."""

    dump: Path
    lease: Mapping[str, Any]


def back_up(scene: Scene) -> Backup:
    """What the nightly job does, while a pipeline has a lease open and the log has a head."""
    story_log.wait_for_head(scene)
    lease = story_reading.open_lease(scene)
    target = scene.installation.addresses.folder / "nightly.dump"
    with scene.terminal.busy("The nightly backup of the database: pg_dump --format=custom"):
        dumps.take(scene.installation, target, style="custom")
    return Backup(target, lease)


def restore(install: Install, scene: Scene, backup: Backup) -> None:
    """Lose the database, put the old dump back, look at the closed gate, replay, look again."""
    subjects = {number: scene.subject_id(number) for number in _bystanders(scene)}
    _put_back(install, scene, backup)
    other, late = subjects
    gate = _gate_says(scene, reason="database-behind")
    scene.terminal.show("/readyz", f"the gate is closed, {gate['reason']}")
    scene.terminal.say(str(gate["words"]))
    _all_closed(scene, backup, subjects[other])
    status = story_registry.withdraw(scene, late)
    expect("a withdrawal is taken", is_so=status == _CREATED)
    scene.terminal.show(f"Participant {late} withdraws all the same", f"{status}, taken")
    _replay(install, scene)
    _after(scene, backup, subjects[other])
    story_log.go_on(install, scene)


def _bystanders(scene: Scene) -> list[int]:
    """Two who are still read: one stays so, the other withdraws while the gate is closed."""
    return [number for number in sorted(scene.aliases) if number in scene.consented][:2]


def _put_back(install: Install, scene: Scene, backup: Backup) -> None:
    terminal = scene.terminal
    terminal.chapter("Three in the morning: the database is lost")
    (erased,), (withdrawn,) = scene.erased, scene.withdrawn
    terminal.say(
        "What is left of it is the nightly backup, taken before participant "
        f"{withdrawn} withdrew and participant {erased} was erased."
    )
    with terminal.busy("An operator stops every process of Lethe"):
        install.stop(*_EVERYTHING)
    with terminal.busy(f"$ pg_restore --clean --if-exists {backup.dump.name}"):
        dumps.put_back(install.installation, backup.dump)
    with terminal.busy("$ manage.py migrate --database=owner, which sets the rights again"):
        install.manage("command", "migrate", "--database=owner", "--verbosity=0")
    with terminal.busy("Every process starts again"):
        install.start(*_EVERYTHING, until="/healthz")


def _gate_says(scene: Scene, *, reason: str) -> Mapping[str, Any]:
    """What /readyz tells of the gate, once the eraser has looked."""
    seen: list[str] = [""]

    def look() -> Mapping[str, Any] | None:
        url = f"{scene.installation.addresses.url}/readyz"
        gate: Mapping[str, Any] = requests.get(url, timeout=_TIMEOUT).json()["gate"]
        seen[0] = str(gate["reason"])
        return gate if seen[0] == reason else None

    return wait_for(
        look,
        seconds=_PATIENCE,
        otherwise=lambda: StoryFailed(f"The gate says {seen[0]}; see the eraser's log."),
    )


def _all_closed(scene: Scene, backup: Backup, subject: str) -> None:
    """A read and a stream, asked once: the demo's clients would wait an outage out."""
    terminal, addresses = scene.terminal, scene.installation.addresses
    pipeline = story_reading.pipeline(scene)
    asked = {
        "A subject's records, read by the source": (
            scene.source_credentials, f"{addresses.url}/api/v1/subjects/{subject}/records"),
        "The lease that was open, on the stream": (
            pipeline.credentials,
            f"{addresses.stream_url}/api/v1/leases/{backup.lease['id']}/records"),
    }  # fmt: skip
    for label, (credentials, url) in asked.items():
        answer = requests.get(url, headers=_bearer(scene, credentials), timeout=_TIMEOUT)
        code = answer.json().get("code") if answer.status_code == _CLOSED else ""
        expect(f"{label}: {_CLOSED}, not {answer.status_code}", is_so=code == _CODE)
        terminal.show(label, f"{answer.status_code} {code}")


def _bearer(scene: Scene, credentials: Credentials) -> Mapping[str, str]:
    """A new token: those given since the backup went with the database."""
    web = Connection(scene.installation.addresses.url)
    client = Client(web, client_id=credentials.client_id, client_secret=credentials.secret)
    return {"Authorization": f"Bearer {client.token()}"}


def _replay(install: Install, scene: Scene) -> None:
    terminal = scene.terminal
    terminal.chapter("The replay")
    terminal.say(
        "The journal lies on a volume of its own, in nobody's backup. Two processes, each with "
        "its own credentials, bring the database back to what it says."
    )
    for process in ("eraser", "attester"):
        terminal.say(f"$ LETHE_PROCESS={process} manage.py replay_journal")
        for line in install.manage(process, "replay_journal"):
            terminal.say(f"  {line}")
    with terminal.busy("The eraser opens the gate by itself"):
        _gate_says(scene, reason="in-step")


def _after(scene: Scene, backup: Backup, other: str) -> None:
    """The erased are erased, the withdrawn are withdrawn, the others are read as before."""
    terminal, source = scene.terminal, scene.source
    ((participant, subject),) = scene.erased.items()
    read = source.call("GET", f"/api/v1/subjects/{subject}/records")
    expect("the erased person is still erased", is_so=read.status == _GONE)
    terminal.show(f"Participant {participant}, who was erased", f"{read.status} {read.code}")
    for number in scene.withdrawn:
        path = f"/api/v1/subjects/{scene.subject_id(number)}/consents"
        last = succeed(source.call("GET", path))["items"][-1]["decision"]
        expect("the withdrawn consent is still withdrawn", is_so=last == "withdrawn")
        terminal.show(f"Participant {number}, last decision", last)
    neighbour = succeed(source.call("GET", f"/api/v1/subjects/{other}/records"))
    expect("another subject is read as before", is_so=len(neighbour["items"]) > 1)
    terminal.show("Another subject's records", f"{len(neighbour['items'])} (200)")
    with terminal.busy("The pipeline goes on with its lease"):
        aliases = {
            str(record["alias"])
            for page in story_reading.pages(scene, backup.lease)
            for record in page.records
        }
    gone = {scene.aliases[number] for number in (participant, *scene.withdrawn)}
    expect("the stream has nobody of them", is_so=not aliases & gone)
    expect("and everybody else", is_so=len(aliases) == len(scene.consented))
    terminal.show("Subjects read", f"{len(aliases):,}, and none of those {len(gone)}")
    terminal.say(
        "What only the database knew since the backup is lost: that request's file, and tokens. "
        "The certificate is yours, and the erasure is attested again."
    )
