"""One person asks for erasure; what is left can be checked (`story_evidence`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import requests

from config.local.demo import dumps, story_evidence, story_reading
from config.local.demo.people import Person
from config.local.demo.scene import Scene, StoryFailed, expect, succeed
from config.local.demo.terminal import wait_for

_GONE, _FORBIDDEN, _OK = 410, 403, 200
_PATIENCE: Final = 120.0
_CLOSED: Final = "restore-replay-required"


def erase_somebody(scene: Scene) -> None:
    """The whole story of one erasure, step by step."""
    participant, other = _two_participants(scene)
    subject, other_subject = scene.subject_id(participant), scene.subject_id(other)
    dump = _before(scene, participant, subject)
    receipt = story_evidence.keep_receipt(scene, subject)
    request = _decide(scene, subject)
    scene.erased[participant] = subject
    _follow(scene, request)
    _after(scene, participant, subject, other_subject)
    _old_dump(scene, dump, subject, other_subject)
    story_evidence.certificate(scene, request)
    story_evidence.bundle(scene, request)
    story_evidence.receipt_still_holds(scene, receipt)


def _two_participants(scene: Scene) -> tuple[int, int]:
    chosen = [number for number in sorted(scene.aliases) if number in scene.consented][:2]
    return chosen[0], chosen[1]


def _before(scene: Scene, participant: int, subject: str) -> Path:
    """What exists before: records that open, and a dump of the whole database."""
    terminal = scene.terminal
    terminal.chapter("Somebody asks for erasure")
    read = scene.source.call("GET", f"/api/v1/subjects/{subject}/records")
    items = succeed(read)["items"]
    person = scene.contacts[participant - 1]
    expect("the records open before", is_so=read.status == _OK and len(items) > 1)
    terminal.say(f"Participant {participant} ({person.name}, a made-up name) wants to be erased.")
    terminal.show("Their records, read by the source", f"{len(items)} (200)")
    folder = scene.installation.addresses.folder
    with terminal.busy("An ordinary backup is taken first: pg_dump"):
        dump = dumps.take(scene.installation, folder / "before-erasure.sql")
    found = dumps.contains(dump, person.name, person.email)
    expect("no name or address stands in the dump", is_so=not found)
    terminal.show(f"'{person.name}' or '{person.email}' in that dump", "not found")
    return dump


def _decide(scene: Scene, subject: str) -> str:
    """Three people: one drafts, another approves, a third releases."""
    terminal, staff = scene.terminal, scene.staff
    analyst, officer = staff["analyst"], staff["compliance-officer"]
    custodian = staff["key-custodian"]
    body = {"kind": "erasure", "subject_id": subject, "ground": "art17-1-b", "channel": "email"}
    request = str(succeed(analyst.post("/requests", body))["id"])
    _act(analyst, request, "decisions", {"outcome": "erase", "ground": "art17-1-b"})
    again = _attempt(analyst, request, "approvals")
    expect("the drafter cannot approve", is_so=again.status_code == _FORBIDDEN)
    refused = again.json()["code"]
    _act(officer, request, "approvals")
    program = scene.source.call(
        "POST", f"/api/v1/requests/{request}/releases", headers={"If-Match": '"3"'}
    )
    expect("a program cannot release", is_so=program.status == _FORBIDDEN)
    _act(custodian, request, "releases")
    terminal.say(f"{analyst.name} drafts the decision; approving it herself answers 403 {refused}.")
    terminal.say(f"{officer.name} approves. {custodian.name} releases. A program's token may not.")
    return request


def _act(person: Person, request: str, act: str, body: Mapping[str, Any] | None = None) -> None:
    succeed(_attempt(person, request, act, body))


def _attempt(
    person: Person, request: str, act: str, body: Mapping[str, Any] | None = None
) -> requests.Response:
    """One act on the request as the person sees it now."""
    seen = person.get(f"/requests/{request}")
    return person.post(f"/requests/{request}/{act}", body, version=seen.headers.get("ETag", ""))


def _follow(scene: Scene, request: str) -> None:
    """Watch the state until the certificate is there."""
    terminal, officer = scene.terminal, scene.staff["compliance-officer"]
    seen: list[str] = []

    def look() -> bool | None:
        shown = succeed(officer.get(f"/requests/{request}"))
        erasure = shown["erasure"] or {}
        for state in (str(erasure.get("state", "")), str(shown["state"])):
            if state and state not in seen:
                seen.append(state)
                terminal.show("State", state)
        return True if shown["state"] == "certified" else None

    wait_for(
        look,
        seconds=_PATIENCE,
        otherwise=lambda: StoryFailed(f"The erasure stands at {seen[-1]}; see the eraser's log."),
    )
    terminal.say(
        "The eraser process destroyed the keys and swept the ciphertext; the attester process, "
        "with another credential, read the destruction back and signed what it saw."
    )


def _after(scene: Scene, participant: int, subject: str, other: str) -> None:
    """The same reads as before."""
    terminal = scene.terminal
    terminal.chapter("The same reads again")
    read = scene.source.call("GET", f"/api/v1/subjects/{subject}/records")
    expect("the same read answers 410", is_so=read.status == _GONE)
    terminal.show("Their records, read by the source", f"410 {read.code}")
    neighbour = scene.source.call("GET", f"/api/v1/subjects/{other}/records")
    expect("another subject is untouched", is_so=neighbour.status == _OK)
    terminal.show("Another subject's records", f"{len(neighbour.json()['items'])} (200)")
    scene.consented.discard(participant)
    lease = story_reading.open_lease(scene)
    with terminal.busy("The pipeline streams again"):
        aliases = {
            str(record["alias"])
            for page in story_reading.pages(scene, lease)
            for record in page.records
        }
    expect("the stream excludes them", is_so=scene.aliases[participant] not in aliases)
    expect("and nobody else", is_so=len(aliases) == len(scene.consented))
    terminal.show("Subjects read", f"{len(aliases):,}, and not that one")


def _old_dump(scene: Scene, dump: Path, subject: str, other: str) -> None:
    """The dump from before: the ciphertext is there, the keys are not."""
    terminal = scene.terminal
    terminal.chapter("The old backup")
    with terminal.busy("Restoring the dump into a second database"):
        dumps.restore(scene.installation, dump)
    found = dumps.opened(
        scene.installation, controller_id=scene.controller_id, subjects=[subject, other]
    )
    expect("the copy answers nothing", is_so=found["refused"] == _CLOSED)
    terminal.show("What the product answers on that copy", f"503 {_CLOSED}")
    terminal.say("Whoever steals a copy can write in it. Opened by force, with the web's keys:")
    erased, living = found["subjects"][subject], found["subjects"][other]
    expect("the erased subject's rows are in the dump", is_so=erased["rows"] > 0)
    expect("none of them opens", is_so=erased["opened"] == 0)
    expect("the other subject's open", is_so=living["opened"] == living["rows"] > 0)
    terminal.show(
        "The erased subject in it",
        f"{erased['rows']} sealed records, {erased['opened']} open ({erased['code']})",
    )
    terminal.show(
        "Another subject in it", f"{living['rows']} sealed records, {living['opened']} open"
    )
