"""Facts of the past, committed to in the transaction of the change they report.

Two kinds. A subject event names the person's random trail and keeps no commitment of its own:
opening and leaf are sealed to the subject's evidence key, so shredding unlinks them. Process
evidence keeps `r` on the row and stays provable for ever. Never calls the key store.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from core import commitment, runtime
from core.actors import Actor
from core.canonical import instant
from core.copying import copy_in
from core.ids import new_random, new_time_ordered
from core.models import AuditEvent
from core.unit_of_work import requires_unit_of_work

Detail = str | int | bool | list[str]
_ACTION = re.compile(r"[a-z]+(\.[a-z][a-z0-9_-]*)+")
_DETAIL_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
_LONGEST_DETAIL = 500
_COLUMNS = {
    "id": "uuid",
    "occurred_at": "timestamptz",
    "action": "text",
    "actor_id": "text",
    "actor_role": "text",
    "controller_id": "uuid",
    "trail_id": "uuid",
    "erasure_id": "uuid",
    "request_id": "uuid",
    "details": "jsonb",
    "r": "bytea",
    "leaf": "bytea",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event to record; fields as in `record`."""

    action: str
    actor: Actor
    controller_id: UUID | None
    now: datetime
    trail_id: UUID | None = None
    erasure_id: UUID | None = None
    request_id: UUID | None = None
    details: Mapping[str, Detail] | None = None


@requires_unit_of_work
def record(
    *,
    action: str,
    actor: Actor,
    controller_id: UUID | None,
    now: datetime,
    trail_id: UUID | None = None,
    erasure_id: UUID | None = None,
    request_id: UUID | None = None,
    details: Mapping[str, Detail] | None = None,
) -> UUID:
    """Record one event and return its id.

    `action` is past tense and dotted (`vault.subject.fenced`). `details` hold no personal data:
    codes, counts and opaque ids only. With `trail_id` it is a subject event and the sealer
    raises Erased or NotFound when the trail maps to no live subject.
    """
    return record_many(
        [
            Event(
                action=action,
                actor=actor,
                controller_id=controller_id,
                now=now,
                trail_id=trail_id,
                erasure_id=erasure_id,
                request_id=request_id,
                details=details,
            )
        ]
    )[0]


@requires_unit_of_work
def record_many(events: Sequence[Event]) -> list[UUID]:
    """Record `events` by a few copies; ids in the order given."""
    rows: list[AuditEvent] = []
    openings: list[tuple[UUID, UUID, bytes]] = []
    leaves: list[tuple[UUID, bytes]] = []
    for event in events:
        row = _row(event)
        made = commitment.commit(payload(row), tag=commitment.AUDIT_EVENT)
        leaves.append((new_random(), made.leaf))
        if event.trail_id is None:
            row.r, row.leaf = made.r, made.leaf
        else:
            openings.append((event.trail_id, row.id, made.pack()))
        rows.append(row)
    _insert(rows)
    # Written in the order of their random ids, so that the order on disk tells nothing.
    copy_in(table="core_leafinbox", columns={"id": "uuid", "leaf": "bytea"}, rows=sorted(leaves))
    if openings:
        runtime.port("opening_sealer").seal_openings(openings=openings)
    return [row.id for row in rows]


@requires_unit_of_work
def _insert(rows: Sequence[AuditEvent]) -> None:
    copy_in(
        table="core_auditevent",
        columns=_COLUMNS,
        rows=(
            (
                row.id, row.occurred_at, row.action, row.actor_id, row.actor_role,
                row.controller_id, row.trail_id, row.erasure_id, row.request_id,
                Jsonb(row.details), row.r, row.leaf,
            )
            for row in rows
        ),
    )  # fmt: skip


def payload(row: AuditEvent) -> dict[str, Any]:
    """What an event's commitment is made over, from the row alone."""
    return {
        "action": row.action,
        "actor": row.actor_id,
        "at": instant(row.occurred_at),
        "controller": _text(row.controller_id),
        "details": row.details,
        "erasure": _text(row.erasure_id),
        "id": str(row.id),
        "request": _text(row.request_id),
        "role": row.actor_role,
        "trail": _text(row.trail_id),
    }


def _row(event: Event) -> AuditEvent:
    if not _ACTION.fullmatch(event.action):
        raise ValueError("an action is dotted and in lower case")
    return AuditEvent(
        id=new_time_ordered(),
        occurred_at=event.now,
        action=event.action,
        actor_id=event.actor.id,
        actor_role=event.actor.role,
        controller_id=event.controller_id,
        trail_id=event.trail_id,
        erasure_id=event.erasure_id,
        request_id=event.request_id,
        details=_checked(event.details or {}),
    )


def _checked(details: Mapping[str, Detail]) -> dict[str, Detail]:
    for key, value in details.items():
        texts = value if isinstance(value, list) else [value]
        if not _DETAIL_KEY.fullmatch(key):
            raise ValueError("a detail's name is a short lower-case word")
        if not all(isinstance(text, str | int) for text in texts):
            raise TypeError(f"detail {key} is neither text, number, flag nor a list of texts")
        if any(isinstance(text, str) and len(text) > _LONGEST_DETAIL for text in texts):
            raise ValueError(f"detail {key} is too long for an audit event")
    return dict(details)


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
