"""Records in: sealed under the subject's data key, one version after another."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from core import audit, failpoints, idempotency, ids
from core.actors import Actor
from core.ids import PublicId
from core.unit_of_work import no_open_transaction, unit_of_work
from vault.domain import binding
from vault.domain.envelope import seal
from vault.domain.states import ShareState, SubjectState
from vault.errors import KeyLost, KeysChanging
from vault.models import KeyShare, Subject
from vault.services import gate, keys, record_rows
from vault.services.keys import OpenKey, Want
from vault.services.record_rows import Current, Row

Outcome = Literal[
    "created", "updated", "unchanged", "erased", "unknown-subject", "version-mismatch", "key-lost"
]


@dataclass(frozen=True, slots=True)
class RecordDraft:
    """One document of a subject, named by its source's own reference within the category.

    `document` is JSON bytes that the caller has validated. With `expected_version` the write
    happens only on that current version (0: only when there is none).
    """

    subject_id: UUID
    category_id: UUID
    group: str
    source_id: UUID
    reference: str
    document: bytes
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """What became of one draft."""

    outcome: Outcome
    record_id: UUID | None = None
    version: int | None = None


_Named: TypeAlias = tuple[int, RecordDraft, OpenKey, bytes]


@no_open_transaction
def put_many(
    *, controller_id: UUID, drafts: Sequence[RecordDraft], actor: Actor, now: datetime
) -> list[RecordOutcome]:
    """Seal each draft as a new record or a new version; identical content changes nothing.

    One subject event per subject and call is audited. What is known as lost stands as its
    outcome; CustodianUnavailable and KeyLost are raised for the whole call: then nothing of it
    was stored and it may be repeated.
    """
    states = dict(
        Subject.objects.filter(
            controller_id=controller_id, id__any={draft.subject_id for draft in drafts}
        ).values_list("id", "state")
    )
    outcomes: dict[int, RecordOutcome] = {
        i: RecordOutcome("erased" if draft.subject_id in states else "unknown-subject")
        for i, draft in enumerate(drafts)
        if states.get(draft.subject_id) != SubjectState.LIVE
    }
    live = [(i, draft) for i, draft in enumerate(drafts) if i not in outcomes]
    for _ in range(keys.ROUNDS):
        try:
            named = _name(live, now=now)
        except KeyLost:
            lost = _lost(live)
            if not lost:
                raise
            outcomes |= dict.fromkeys(lost, RecordOutcome("key-lost"))
            live = [(i, draft) for i, draft in live if i not in lost]
            continue
        stored = _store(controller_id, named, actor=actor, now=now)
        if stored is not None:
            erased = {i: RecordOutcome("erased") for i, _ in live}
            outcomes |= erased | stored
            return [outcomes[i] for i in range(len(drafts))]
    raise KeysChanging


def _name(live: Sequence[tuple[int, RecordDraft]], *, now: datetime) -> list[_Named]:
    """Each draft with its data key and reference tag; without those whose subject is gone."""
    opened = keys.open_data_keys(
        wanted=[Want(d.subject_id, d.category_id, d.group) for d in _once(d for _, d in live)],
        now=now,
    )
    named: list[_Named] = []
    for i, draft in live:
        key = opened.get((draft.subject_id, draft.category_id))
        if key is not None:
            tag = binding.reference_tag(
                key=key.key, source=draft.source_id, reference=draft.reference
            )
            named.append((i, draft, key, tag))
    return named


def _lost(live: Sequence[tuple[int, RecordDraft]]) -> set[int]:
    """Which of the drafts are of a key group that is known as lost; looked for when one is met."""
    lost = keys.lost({(draft.subject_id, draft.group) for _, draft in live})
    return {i for i, draft in live if (draft.subject_id, draft.group) in lost}


def _once(drafts: Iterable[RecordDraft]) -> list[RecordDraft]:
    return list({(draft.subject_id, draft.category_id): draft for draft in drafts}.values())


def _store(
    controller_id: UUID, named: Sequence[_Named], *, actor: Actor, now: datetime
) -> dict[int, RecordOutcome] | None:
    """Store what is still live under the subjects' locks; sealing is local, so locks are short.

    None, and nothing stored, when a re-key has put another key in the place of one of `named`.
    """
    if not named:
        return {}
    with unit_of_work():
        gate.require_open()
        trails = dict(
            Subject.objects.select_for_update(no_key=True)
            .filter(id__any={draft.subject_id for _, draft, _, _ in named}, state="live")
            .order_by("id")
            .values_list("id", "trail_id")
        )
        shares = set(
            KeyShare.objects.filter(subject_id__any=trails, state=ShareState.LIVE).values_list(
                "kid", flat=True
            )
        )
        failpoints.reach("vault.records.locked")
        if any(d.subject_id in trails and _kid(key) not in shares for _, d, key, _ in named):
            return None
        wanted = [(key.data_key_id, tag) for _, _, key, tag in named]
        plan = _Plan(controller_id, now, record_rows.current(wanted))
        outcomes = {}
        for i, draft, key, tag in named:
            if draft.subject_id in trails:
                outcomes[i] = plan.add(draft, key, tag)
            else:
                outcomes[i] = RecordOutcome("erased")
        plan.write()
        audit.record_many(
            [
                audit.Event(
                    action="vault.records.sealed",
                    actor=actor,
                    controller_id=controller_id,
                    now=now,
                    trail_id=trails[subject],
                    details={"records": count},
                )
                for subject, count in plan.written.items()
            ]
        )
        if len(outcomes) == 1:  # bulk requests take no idempotency key
            _settle(*outcomes.values())
    return outcomes


def _kid(key: OpenKey) -> UUID:
    return UUID(bytes=key.share.kid)


def _settle(outcome: RecordOutcome) -> None:
    """What a repeat of a request about one record is told; nothing where nothing was written."""
    if outcome.record_id is not None and outcome.outcome in {"created", "updated"}:
        public = ids.format(PublicId.RECORD, outcome.record_id)
        idempotency.settle(
            resource_id=f"{public}:{outcome.version}:{outcome.outcome}",
            status=201 if outcome.outcome == "created" else 200,
        )


class _Plan:
    """Rows to write in one transaction; later drafts of a batch see the earlier ones."""

    def __init__(
        self,
        controller_id: UUID,
        now: datetime,
        current: dict[tuple[UUID, bytes], Current],
    ) -> None:
        self.controller_id, self.now, self.current = controller_id, now, current
        self.rows: dict[UUID, Row] = {}
        self.superseded: list[UUID] = []
        self.written: dict[UUID, int] = {}

    def add(self, draft: RecordDraft, key: OpenKey, tag: bytes) -> RecordOutcome:
        old = self.current.get((key.data_key_id, tag))
        mac = binding.content_mac(key=key.key, document=draft.document)
        version = old.version if old else 0
        if draft.expected_version is not None and draft.expected_version != version:
            return RecordOutcome("version-mismatch", old.record_id if old else None, version)
        if old and old.content_mac == mac:
            return RecordOutcome("unchanged", old.record_id, version)
        record_id = old.record_id if old else ids.new_time_ordered()
        new = Current(ids.new_time_ordered(), record_id, version + 1, mac)
        if old:
            self._supersede(old)
        self.rows[new.id] = self._seal(draft, key, tag, new)
        self.current[key.data_key_id, tag] = new
        self.written[draft.subject_id] = self.written.get(draft.subject_id, 0) + 1
        return RecordOutcome("updated" if old else "created", record_id, new.version)

    def _seal(self, draft: RecordDraft, key: OpenKey, tag: bytes, new: Current) -> Row:
        bound = binding.record_binding(
            controller=self.controller_id,
            subject=draft.subject_id,
            category=draft.category_id,
            data_key=key.data_key_id,
            record=new.record_id,
            version=new.version,
        )
        return Row(
            new.id,
            new.record_id,
            new.version,
            True,
            draft.subject_id,
            draft.category_id,
            key.data_key_id,
            draft.source_id,
            tag,
            _sealed_reference(draft, key, new.record_id),
            new.content_mac,
            seal(key=key.key, binding=bound, document=draft.document),
            self.now,
        )

    def _supersede(self, old: Current) -> None:
        fresh = self.rows.get(old.id)
        if fresh is None:
            self.superseded.append(old.id)
        else:
            self.rows[old.id] = fresh._replace(is_current=False)

    def write(self) -> None:
        record_rows.write(self.rows.values(), superseded=self.superseded)


def _sealed_reference(draft: RecordDraft, key: OpenKey, record_id: UUID) -> bytes:
    bound = binding.reference_binding(
        subject=draft.subject_id, data_key=key.data_key_id, record=record_id
    )
    return seal(key=key.key, binding=bound, document=draft.reference.encode())
