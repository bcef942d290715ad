"""Data subjects: created with keys of their own, found by keyed tags, never by clear values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from core import statements
from core.actors import Actor
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.lookup import Reference, tag_input
from vault.domain.states import SubjectState
from vault.errors import SubjectErased, SubjectNotFound
from vault.models import LookupTag, Subject, SuppressionTag
from vault.services import creating, gate, prepared
from vault.services.creating import Tags

State = Literal["live", "fenced", "erased", "unknown"]
_STATES: dict[str, State] = {"live": "live", "fenced": "fenced", "erased": "erased"}
_HOLD: Final = """
SELECT trail_id, state FROM vault_subject WHERE id = %s AND controller_id = %s FOR SHARE"""


@dataclass(frozen=True, slots=True)
class SubjectDraft:
    """A subject to create: its references (at least one) and the source that names it so."""

    references: tuple[Reference, ...]
    source_id: UUID


@dataclass(frozen=True, slots=True)
class SubjectOutcome:
    """What became of one draft; `conflict` means its references belong to different subjects."""

    subject_id: UUID | None
    outcome: Literal["created", "existing", "erased", "conflict"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a reference leads to. Fenced and erased both answer 410; only live has an id."""

    subject_id: UUID | None
    state: State


@dataclass(frozen=True, slots=True)
class _Tagged:
    draft: SubjectDraft
    tags: tuple[tuple[str, bytes, bytes], ...]


def get(*, controller_id: UUID, subject_id: UUID) -> Subject:
    """The subject's row, in whatever state. Raises SubjectNotFound, also when not yours."""
    subject = Subject.objects.filter(id=subject_id, controller_id=controller_id).first()
    if subject is None:
        raise SubjectNotFound
    return subject


def require_live(*, controller_id: UUID, subject_id: UUID) -> Subject:
    """As `get`, and raises SubjectErased from the fence on."""
    subject = get(controller_id=controller_id, subject_id=subject_id)
    if subject.state != SubjectState.LIVE:
        raise SubjectErased
    return subject


@requires_unit_of_work
def hold_live(*, controller_id: UUID, subject_id: UUID) -> UUID:
    """The subject's trail; until commit the subject is not fenced.

    Raises SubjectNotFound, also when not yours, and SubjectErased.
    """
    found = statements.fetch(_HOLD, [subject_id, controller_id])
    if not found:
        raise SubjectNotFound
    ((trail_id, state),) = found
    if state != SubjectState.LIVE:
        raise SubjectErased
    held: UUID = trail_id
    return held


@no_open_transaction
def resolve_many(*, controller_id: UUID, references: Sequence[Reference]) -> list[Resolved]:
    """Find subjects by reference, in order. Raises CustodianUnavailable."""
    values = [tag_input(controller_id=controller_id, reference=ref) for ref in references]
    tags = runtime.hasher().tags(key="lookup", values=values)
    keys_ = [(ref.kind, tag) for ref, tag in zip(references, tags, strict=True)]
    found = _states(controller_id, keys_)
    unknown = [index for index, key in enumerate(keys_) if key not in found]
    suppressed = _suppressed(controller_id, references, values, unknown)
    return [
        found.get(key) or Resolved(None, "erased" if index in suppressed else "unknown")
        for index, key in enumerate(keys_)
    ]


def _states(
    controller_id: UUID, tags: Sequence[tuple[str, bytes]]
) -> dict[tuple[str, bytes], Resolved]:
    rows = LookupTag.objects.filter(
        controller_id=controller_id, tag__any={tag for _, tag in tags}
    ).values_list("kind", "tag", "subject_id", "subject__state")
    return {
        (kind, bytes(tag)): Resolved(subject if state == "live" else None, _STATES[state])
        for kind, tag, subject, state in rows
    }


def _suppressed(
    controller_id: UUID,
    references: Sequence[Reference],
    values: Sequence[bytes],
    unknown: Sequence[int],
) -> set[int]:
    """Which of the unknown references were erased and are not yet acknowledged by their source."""
    if not SuppressionTag.objects.filter(controller_id=controller_id).exists():
        return set()
    tags = runtime.hasher().tags(key="suppression", values=[values[index] for index in unknown])
    rows = SuppressionTag.objects.filter(controller_id=controller_id, tag__any=tags)
    hits = {(row.kind, bytes(row.tag)) for row in rows}
    return {
        index
        for index, tag in zip(unknown, tags, strict=True)
        if (references[index].kind, tag) in hits
    }


@no_open_transaction
def create_many(
    *, controller_id: UUID, drafts: Sequence[SubjectDraft], actor: Actor, now: datetime
) -> list[SubjectOutcome]:
    """Create each draft's subject unless one of its references is known already.

    A draft sent twice answers `existing` the second time. Raises CustodianUnavailable; then
    nothing was created that anyone can find, and the same call may be made again.
    """
    tagged = _tag(controller_id, drafts)
    outcomes: dict[int, SubjectOutcome] = _known(controller_id, tagged)
    seen: dict[tuple[str, bytes], int] = {}
    fresh: list[int] = []
    for index, item in enumerate(tagged):
        if index in outcomes:
            continue
        if any((kind, tag) in seen for kind, tag, _ in item.tags):
            continue  # the same person twice in one batch: the second is `existing` below
        seen |= {(kind, tag): index for kind, tag, _ in item.tags}
        fresh.append(index)
    created = _create(controller_id, [tagged[i] for i in fresh], actor=actor, now=now)
    outcomes |= {
        i: SubjectOutcome(subject, "created")
        for i, subject in zip(fresh, created, strict=True)
        if subject is not None
    }
    if len(outcomes) < len(tagged):
        outcomes |= _known(
            controller_id, tagged, only=[i for i in range(len(tagged)) if i not in outcomes]
        )
    return [outcomes.get(i, SubjectOutcome(None, "conflict")) for i in range(len(tagged))]


def _tag(controller_id: UUID, drafts: Sequence[SubjectDraft]) -> list[_Tagged]:
    references = [ref for draft in drafts for ref in draft.references]
    values = [tag_input(controller_id=controller_id, reference=ref) for ref in references]
    hasher = runtime.hasher()
    lookup = iter(hasher.tags(key="lookup", values=values))
    suppression = iter(hasher.tags(key="suppression", values=values))
    return [
        _Tagged(
            draft, tuple((ref.kind, next(lookup), next(suppression)) for ref in draft.references)
        )
        for draft in drafts
    ]


def _known(
    controller_id: UUID, tagged: Sequence[_Tagged], only: Sequence[int] | None = None
) -> dict[int, SubjectOutcome]:
    """Outcomes of the drafts of which a reference is known or suppressed."""
    indexes = range(len(tagged)) if only is None else only
    states = _states(controller_id, [(k, t) for i in indexes for k, t, _ in tagged[i].tags])
    suppressed = {
        (row.kind, bytes(row.tag))
        for row in SuppressionTag.objects.filter(
            controller_id=controller_id, tag__any={s for i in indexes for _, _, s in tagged[i].tags}
        )
    }
    outcomes = {}
    for index in indexes:
        item = tagged[index]
        hits = [states[kind, tag] for kind, tag, _ in item.tags if (kind, tag) in states]
        if any((kind, tag) in suppressed for kind, _, tag in item.tags) or any(
            hit.state != "live" for hit in hits
        ):
            outcomes[index] = SubjectOutcome(None, "erased")
        elif len({hit.subject_id for hit in hits}) > 1:
            outcomes[index] = SubjectOutcome(None, "conflict")
        elif hits:
            outcomes[index] = SubjectOutcome(hits[0].subject_id, "existing")
    return outcomes


def _create(
    controller_id: UUID, drafts: Sequence[_Tagged], *, actor: Actor, now: datetime
) -> list[UUID | None]:
    """Give each draft a subject, prepared ahead or made now; None where a reference was taken."""
    created: list[UUID | None] = []
    ready = prepared.available(controller_id=controller_id, limit=len(drafts), now=now)
    while len(created) < len(drafts):
        left = [Tags(item.draft.source_id, item.tags) for item in drafts[len(created) :]]
        shells = creating.make(controller_id=controller_id, count=len(left) - ready, now=now)
        with unit_of_work():
            gate.require_open()
            shells += prepared.take(controller_id=controller_id, count=ready, now=now)
            created += creating.publish(
                controller_id=controller_id,
                drafts=left[: len(shells)],
                shells=shells,
                actor=actor,
                now=now,
            )
        ready = 0  # when others took what was ready, the rest is made
    return created
