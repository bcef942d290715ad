"""What the steps of the story share: who acts, through what, and what they came to know."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from config.local.demo.data import Contact
from config.local.demo.people import Person
from config.local.demo.processes import Installation
from config.local.demo.terminal import Terminal
from governance.management.importing.rest import Answer, Client, refusal

_OK: Final = range(200, 300)


class StoryFailed(Exception):
    """A step did not come out as the story says; the text says which."""


@dataclass(slots=True)
class Credentials:
    """A client's id and secret, as `manage.py create_client` printed them."""

    client_id: str
    secret: str


@dataclass(slots=True)
class Scene:
    """The cast and the props. Fields that steps fill in have no value before their step."""

    terminal: Terminal
    installation: Installation
    controller_id: str
    source_credentials: Credentials
    source: Client
    staff: Mapping[str, Person]
    contacts: list[Contact] = field(default_factory=list)
    purpose_id: str = ""
    pipeline: "Pipeline | None" = None
    #: Participant → that person's alias in the purpose, which only the demo can know: it holds
    #: the table that the records came from and looks for rows that are one person's alone.
    aliases: dict[int, str] = field(default_factory=dict)
    consented: set[int] = field(default_factory=set)
    #: Who withdrew, and who was erased with the id they had.
    withdrawn: list[int] = field(default_factory=list)
    erased: dict[int, str] = field(default_factory=dict)
    #: Records that the pipeline asks for at a time.
    page: int = 1000

    def subject_id(self, participant: int) -> str:
        """The subject's public id, looked up by its reference."""
        body = {"kind": "participant", "value": str(participant)}
        return str(succeed(self.source.call("POST", "/api/v1/subjects/lookup", body=body))["id"])


@dataclass(slots=True)
class Pipeline:
    """An ML client: opens leases on the web processes, reads them on the stream processes."""

    credentials: Credentials
    web: Client
    stream: Client


def succeed(answer: Answer | requests.Response) -> Any:
    """The answer's JSON. Raises StoryFailed when it is no success."""
    if isinstance(answer, Answer):
        if answer.status not in _OK:
            raise StoryFailed(str(refusal(answer)))
        return answer.json()
    if answer.status_code not in _OK:
        raise StoryFailed(f"{answer.request.path_url}: {answer.status_code} {answer.text[:300]}")
    return answer.json()


def expect(what: str, *, is_so: bool) -> None:
    """Raise StoryFailed unless the step came out as it should."""
    if not is_so:
        raise StoryFailed(f"Not as promised: {what}.")


def outcomes(lines: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many lines of a bulk answer had which outcome."""
    *_, summary = lines
    counted: dict[str, int] = dict(summary["outcomes"])
    return counted
