"""Second part of the story: a pipeline reads what people consented to, page by page."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from config.local.demo import story_registry
from config.local.demo.data import HEALTH, Table
from config.local.demo.scene import Pipeline, Scene, StoryFailed, expect, succeed
from config.local.demo.terminal import wait_for
from governance.management.importing import mapping
from governance.management.importing.mapping import Row

_FORBIDDEN: Final = 403
Signature = tuple[tuple[tuple[str, Any], ...], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a lease: records, and where the next page begins (None at the end)."""

    records: list[Mapping[str, Any]]
    cursor: str | None


def read_all(scene: Scene, health: Table) -> None:
    """Open a lease, read it whole, and say who was left out and why."""
    terminal = scene.terminal
    terminal.chapter("A pipeline reads, for one purpose")
    reader = pipeline(scene)
    own = reader.web.call("GET", f"/api/v1/subjects/{scene.subject_id(1)}/records")
    expect("a pipeline opens no subject directly", is_so=own.status == _FORBIDDEN)
    with terminal.busy("Streaming every consented record"):
        lease = open_lease(scene, at_least=len(scene.consented))
        records = [record for page in pages(scene, lease) for record in page.records]
        succeed(reader.web.call("POST", f"/api/v1/leases/{lease['id']}/close"))
    aliases = {str(record["alias"]) for record in records}
    terminal.show("Subjects read", f"{len(aliases):,}")
    terminal.show("Records read", f"{len(records):,}")
    terminal.show("Left out, by reason", _listed(lease["exclusions"]))
    expect("only consented subjects are read", is_so=len(aliases) == len(scene.consented))
    expect("no contact is read", is_so={record["category"] for record in records} == {HEALTH})
    terminal.say(
        "Records carry an alias that belongs to this purpose alone. The pipeline's token opens "
        "nothing else: asking for a subject's records answers 403."
    )
    scene.aliases = _recognised(records, health)


def withdraw_while_reading(scene: Scene) -> None:
    """One person withdraws between two pages of an open lease."""
    terminal = scene.terminal
    terminal.chapter("Somebody withdraws while the pipeline is reading")
    lease = open_lease(scene)
    reading = pages(scene, lease)
    first = next(reading)
    last_read = str(first.records[-1]["alias"])
    unread = [
        (number, alias)
        for number, alias in sorted(scene.aliases.items())
        if alias > last_read and number in scene.consented
    ]
    expect("somebody is still unread", is_so=bool(unread))
    participant, alias = unread[0]
    terminal.say(f"The first page of {len(first.records):,} records is read; the next ones wait.")
    story_registry.withdraw(scene, participant)
    terminal.say(f"Participant {participant} withdraws; the answer to that came back just now.")
    later = {str(record["alias"]) for page in reading for record in page.records}
    expect("the next pages no longer have them", is_so=alias not in later)
    expect("the others are still read", is_so=len(later) > 1)
    terminal.show("In the pages after it", f"{len(later):,} subjects, and not that one")
    removals = succeed(
        pipeline(scene).web.call("GET", f"/api/v1/purposes/{scene.purpose_id}/removals")
    )
    named = {item["alias"]: item["reason"] for item in removals["items"]}
    expect("the pipeline is told to drop the alias", is_so=named.get(alias) == "withdrawn")
    terminal.say("The list of removals tells the pipeline which alias to drop, and why.")


def open_lease(scene: Scene, *, at_least: int = 0) -> Mapping[str, Any]:
    """A lease on the purpose; waits until so many subjects are granted."""

    def look() -> Mapping[str, Any] | None:
        lease: Mapping[str, Any] = succeed(
            pipeline(scene).web.call(
                "POST",
                f"/api/v1/purposes/{scene.purpose_id}/leases",
                body={"run_reference": "demo"},
            )
        )
        return lease if lease["subjects"] >= at_least else None

    return wait_for(
        look, seconds=60, otherwise=lambda: StoryFailed("The grants were not made in time.")
    )


def pages(scene: Scene, lease: Mapping[str, Any]) -> Iterator[Page]:
    """Page after page of one lease; each is read when it is asked for."""
    cursor: str | None = ""
    while cursor is not None:
        asked = {"limit": str(scene.page)} | ({"after": cursor} if cursor else {})
        path = f"/api/v1/leases/{lease['id']}/records?{urlencode(asked)}"
        answer = pipeline(scene).stream.call("GET", path)
        if answer.status != 200:  # noqa: PLR2004
            succeed(answer)
        lines = [_parsed(line) for line in answer.body.splitlines()]
        cursor = next((line["cursor"] for line in reversed(lines) if "cursor" in line), None)
        if lines[-1].get("complete"):
            cursor = None
        yield Page([line for line in lines if "alias" in line], cursor)


def _parsed(line: bytes) -> dict[str, Any]:
    import orjson

    parsed: dict[str, Any] = orjson.loads(line)
    return parsed


def pipeline(scene: Scene) -> Pipeline:
    """The pipeline's clients. Raises StoryFailed before they are made."""
    if scene.pipeline is None:
        raise StoryFailed("The pipeline has no credentials yet.")
    return scene.pipeline


def _recognised(records: list[Mapping[str, Any]], health: Table) -> dict[int, str]:
    """Participants whose rows nobody else has, and their aliases."""
    by_participant: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in mapping.rows(health.csv, mapping.load(health.mapping)):
        if isinstance(row, Row):
            by_participant[int(row.references[0][1])].append(row.document)
    signatures = {number: _signature(rows) for number, rows in by_participant.items()}
    alone = {one for one, count in Counter(signatures.values()).items() if count == 1}
    by_alias: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        by_alias[str(record["alias"])].append(record["data"])
    found = {_signature(rows): alias for alias, rows in by_alias.items()}
    return {
        number: found[one] for number, one in signatures.items() if one in alone and one in found
    }


def _signature(rows: list[Mapping[str, Any]]) -> Signature:
    return tuple(sorted(tuple(sorted(row.items())) for row in rows))


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in counts.items() if count) or "none"
