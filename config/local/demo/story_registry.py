"""First part of the story: what may be read for what, then the data, then what people decide."""

import hashlib
import subprocess
import sys
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from config.local.demo import data
from config.local.demo.data import CONTACT, CONTACT_SCHEMA, HEALTH, HEALTH_SCHEMA, Table
from config.local.demo.scene import Scene, StoryFailed, expect, outcomes, succeed

PURPOSE: Final = "health-research"
_NOTICE: Final = (
    "We would like to use your answers and visits from the health insurance experiment for "
    "research on health. You may refuse, and you may change your mind at any time."
)
_ALL: Final = ["*"]
_CHUNK: Final = 2000
_REFUSES_EACH, _SILENT_EACH = 10, 25


def declare_purpose(scene: Scene) -> None:
    """Two people declare what is kept and what it may be read for."""
    scene.terminal.chapter("What is kept, and what it may be read for")
    analyst, officer = scene.staff["analyst"], scene.staff["compliance-officer"]
    categories: list[dict[str, Any]] = [
        {"code": HEALTH, "name": "Health insurance experiment", "schema": HEALTH_SCHEMA,
         "is_special": True},
        {"code": CONTACT, "name": "Contact", "schema": CONTACT_SCHEMA},
    ]  # fmt: skip
    for category in categories:
        succeed(officer.post("/categories", category))
    purpose = succeed(analyst.post("/purposes", {"code": PURPOSE, "name": "Research on health"}))
    version = {
        "lawful_basis": "consent",
        "special_condition": "art9-2-a",
        "categories": {HEALTH: _ALL},
        "retention_days": 365,
    }
    scene.purpose_id = purpose["id"]
    drafted = succeed(analyst.post(f"/purposes/{scene.purpose_id}/versions", version))
    read = {"version": drafted["number"]}
    own = analyst.post(f"/purposes/{scene.purpose_id}/activations", read)
    expect("who drafts a purpose does not activate it", is_so=own.status_code == 403)  # noqa: PLR2004
    succeed(officer.post(f"/purposes/{scene.purpose_id}/activations", read))
    scene.terminal.say(
        f"{analyst.name} drafted the purpose {PURPOSE}: it rests on consent and reads "
        f"{HEALTH}, never {CONTACT}. {officer.name} activated it; the drafter may not (403)."
    )


def load_records(scene: Scene, health: Table, contacts: Table) -> None:
    """The project's own import command, over REST, with a source's credentials."""
    terminal = scene.terminal
    terminal.chapter("Records go in")
    terminal.say(
        "The RAND Health Insurance Experiment, as statsmodels ships it: rows about real people, "
        "public. It has no person id, so consecutive rows equal in "
        f"{', '.join(data.SAME_PERSON)} (at most {data.MOST_ROWS}) count as one subject."
    )
    terminal.show("Rows", f"{health.rows:,}")
    terminal.show("Subjects by that rule", f"{len(scene.contacts):,}")
    terminal.say("Names and e-mail addresses are synthetic: Faker made them up.")
    for table in (contacts, health):
        _import(scene, table)
    terminal.say(
        "Every subject has keys of its own in the key store; the database holds ciphertext only."
    )


def _import(scene: Scene, table: Table) -> None:
    addresses = scene.installation.addresses
    command = [
        sys.executable, "manage.py", "import_records", f"--csv={table.csv}",
        f"--mapping={table.mapping}", f"--url={addresses.url}",
        f"--client-id={scene.source_credentials.client_id}",
        "--client-secret-env=DEMO_SOURCE_SECRET",
    ]  # fmt: skip
    environment = {
        **scene.installation.environment("web"),
        "DEMO_SOURCE_SECRET": scene.source_credentials.secret,
    }
    scene.terminal.say(f"$ manage.py import_records --csv {table.csv.name} …")
    done = subprocess.run(
        command,
        cwd=addresses.project,
        env=environment,
        check=False,
        start_new_session=True,  # Ctrl-C is ours to answer
    )
    if done.returncode != 0:
        raise StoryFailed(f"import_records ended with {done.returncode}")


def decide_consents(scene: Scene) -> None:
    """Most give consent, some refuse, some say nothing."""
    terminal = scene.terminal
    terminal.chapter(f"People decide about {PURPOSE}")
    decisions = {one.participant: _decision(one.participant) for one in scene.contacts}
    scene.consented = {number for number, word in decisions.items() if word == "given"}
    lines = (_consent(scene, number, word) for number, word in decisions.items() if word)
    with terminal.busy("Consent records, and a key wrapped for each grant"):
        counted = _send(scene, lines)
    expect(f"every decision is kept, not {counted}", is_so=set(counted) == {"recorded"})
    terminal.show("Given", f"{len(scene.consented):,}")
    terminal.show("Refused", f"{list(decisions.values()).count('refused'):,}")
    terminal.show("Not decided", f"{list(decisions.values()).count(''):,}")


def withdraw(scene: Scene, participant: int) -> int:
    """One person's withdrawal, as the source passes it on; the answer's status."""
    body = _consent(scene, participant, "withdrawn")
    answer = scene.source.call("POST", "/api/v1/consents", body=body)
    succeed(answer)
    scene.consented.discard(participant)
    scene.withdrawn.append(participant)
    return answer.status


def _decision(participant: int) -> str:
    if participant % _REFUSES_EACH == 0:
        return "refused"
    return "" if participant % _SILENT_EACH == 1 else "given"


def _consent(scene: Scene, participant: int, decision: str) -> dict[str, Any]:
    return {
        "subject": {"kind": "participant", "value": str(participant)},
        "purpose_id": scene.purpose_id,
        "decision": decision,
        "channel": "web",
        "language": "en",
        "text_digest": hashlib.sha256(_NOTICE.encode()).hexdigest(),
        "is_explicit": decision == "given",
    }


def _send(scene: Scene, lines: Iterable[dict[str, Any]]) -> dict[str, int]:
    total: dict[str, int] = {}
    rest = iter(lines)
    while chunk := list(islice(rest, _CHUNK)):
        for name, count in outcomes(scene.source.bulk("/api/v1/consents:bulk", chunk)).items():
            total[name] = total.get(name, 0) + count
    return total
