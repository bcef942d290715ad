"""Subjects made: rows planned, shares and evidence keys in the key store, then findable by tags.

Until `publish` a subject is a shell: it has no references and no evidence key of its own to be
seen, it counts as nobody, and `abandoned.purge` destroys its share after a day.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

from core import audit, hpke, idempotency, ids
from core.actors import Actor
from core.copying import copy_in
from core.ids import PublicId
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.states import ShareState, SubjectState
from vault.models import LookupTag, Subject
from vault.ports import GrantFailure, GrantToMake, ShareRef
from vault.services import gate, keys

MAIN_GROUP: Final = "main"
#: The pseudo-category whose data key is the private half of the subject's evidence key.
EVIDENCE_CATEGORY: Final = UUID("00000000-0000-4000-8000-65766964656e")

_SUBJECT: Final = {
    "id": "uuid", "controller_id": "uuid", "state": "text", "trail_id": "uuid",
    "created_at": "timestamptz",
}  # fmt: skip
_SHARE: Final = {
    "kid": "uuid", "subject_id": "uuid", "controller_id": "uuid", "group": "text",
    "cluster": "text", "state": "text", "planned_at": "timestamptz",
}  # fmt: skip
_SHOW: Final = """
UPDATE vault_subject s SET evidence_public = e.public, created_at = %s
FROM unnest(%s::uuid[], %s::bytea[]) AS e (id, public) WHERE s.id = e.id"""
_TAG: Final = """
INSERT INTO vault_lookuptag (controller_id, kind, tag, suppression, subject_id, source_id)
SELECT %s, * FROM unnest(%s::text[], %s::bytea[], %s::bytea[], %s::uuid[], %s::uuid[])
ON CONFLICT DO NOTHING RETURNING subject_id"""


@dataclass(frozen=True, slots=True)
class Shell:
    """A subject that nobody can find yet; `wrapped` is its evidence key, None once it is stored."""

    subject_id: UUID
    trail_id: UUID
    kid: UUID
    evidence_public: bytes
    wrapped: bytes | None = None


@dataclass(frozen=True, slots=True)
class Tags:
    """The references of one draft: (kind, lookup tag, suppression tag) each, and their source."""

    source_id: UUID
    tags: tuple[tuple[str, bytes, bytes], ...]


@no_open_transaction
def make(*, controller_id: UUID, count: int, now: datetime) -> list[Shell]:
    """Commit planned rows, write the shares, wrap evidence keys. Raises CustodianUnavailable."""
    if not count:
        return []
    planned = [
        (ids.new_random(), ids.new_random(), ShareRef(ids.new_random().bytes, controller_id))
        for _ in range(count)
    ]
    with unit_of_work():
        gate.require_open()
        _plan(planned, now=now)
    fresh = keys.write_shares([ref for _, _, ref in planned])
    pairs = [hpke.generate_key_pair() for _ in planned]
    made = runtime.custodian().make_grants(
        [
            GrantToMake(fresh.get(ref, ref), keys.CUSTODY, pair.private)
            for (_, _, ref), pair in zip(planned, pairs, strict=True)
        ]
    )
    for answer in made:
        if isinstance(answer, GrantFailure):
            raise keys.failure(answer)
    return [
        Shell(subject_id, trail_id, UUID(bytes=ref.kid), pair.public, wrapped)
        for (subject_id, trail_id, ref), pair, wrapped in zip(planned, pairs, made, strict=True)
        if isinstance(wrapped, bytes)
    ]


@requires_unit_of_work
def _plan(planned: Sequence[tuple[UUID, UUID, ShareRef]], *, now: datetime) -> None:
    copy_in(
        table="vault_subject",
        columns=_SUBJECT,
        rows=[
            (subject_id, ref.controller_id, SubjectState.LIVE.value, trail_id, now)
            for subject_id, trail_id, ref in planned
        ],
    )
    copy_in(
        table="vault_keyshare",
        columns=_SHARE,
        rows=[
            (UUID(bytes=ref.kid), subject_id, ref.controller_id, MAIN_GROUP, ref.cluster,
             ShareState.PLANNED.value, now)
            for subject_id, _, ref in planned
        ],
    )  # fmt: skip


@requires_unit_of_work
def store_evidence_keys(shells: Sequence[Shell], *, now: datetime) -> None:
    """Store wrapped evidence keys that are not stored yet."""
    keys.insert(
        [
            (shell.subject_id, EVIDENCE_CATEGORY, shell.kid, ids.new_random(), shell.wrapped)
            for shell in shells
            if shell.wrapped is not None
        ],
        now=now,
    )


@requires_unit_of_work
def publish(
    *,
    controller_id: UUID,
    drafts: Sequence[Tags],
    shells: Sequence[Shell],
    actor: Actor,
    now: datetime,
) -> list[UUID | None]:
    """Make each draft's shell findable; None where another writer took one of its references."""
    if not shells:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            _SHOW,
            [now, [s.subject_id for s in shells], [shell.evidence_public for shell in shells]],
        )
    losers = _tag(controller_id, drafts, shells)
    kept = [shell for shell in shells if shell.subject_id not in losers]
    store_evidence_keys(kept, now=now)
    audit.record_many(
        [
            audit.Event(
                action="vault.subject.created",
                actor=actor,
                controller_id=controller_id,
                now=now,
                trail_id=shell.trail_id,
            )
            for shell in kept
        ]
    )
    if len(drafts) == 1 and kept:  # bulk requests take no idempotency key
        idempotency.settle(resource_id=ids.format(PublicId.SUBJECT, kept[0].subject_id))
    return [None if shell.subject_id in losers else shell.subject_id for shell in shells]


@requires_unit_of_work
def _tag(controller_id: UUID, drafts: Sequence[Tags], shells: Sequence[Shell]) -> set[UUID]:
    """Store tags, in one order so that two imports of the same people cannot deadlock.

    Answers the losers: subjects that lost a race for a reference. They are left as if their
    creation had broken off; nobody ever saw their ids.
    """
    rows = sorted(
        (kind, tag, suppression, shell.subject_id, draft.source_id)
        for shell, draft in zip(shells, drafts, strict=True)
        for kind, tag, suppression in draft.tags
    )
    with connection.cursor() as cursor:
        columns = [list(column) for column in zip(*rows, strict=True)]
        cursor.execute(_TAG, [controller_id, *columns])
        stored = Counter(subject_id for (subject_id,) in cursor.fetchall())
    losers = {
        shell.subject_id
        for shell, draft in zip(shells, drafts, strict=True)
        if stored[shell.subject_id] < len({(kind, tag) for kind, tag, _ in draft.tags})
    }
    if losers:
        LookupTag.objects.filter(subject_id__any=losers).delete()
        Subject.objects.filter(id__any=losers).update(evidence_public=None)
    return losers
