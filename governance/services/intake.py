"""Data in and custody reads out: who sends or asks, what the category allows, which subject.

Records never create subjects: a reference that is not known is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import orjson

from core import audit, statements
from core.actors import Actor
from core.errors import InvalidInput, NotFound, ServiceError
from core.unit_of_work import no_open_transaction, unit_of_work
from governance.models import Category, SubjectRequest
from governance.services import categories, purposes
from vault.domain.lookup import Reference
from vault.errors import KeyLost, SubjectErased
from vault.models import SealedRecord
from vault.services import gate, reading, sealing, subjects
from vault.services.reading import OpenRecord
from vault.services.sealing import RecordDraft, RecordOutcome
from vault.services.subjects import Resolved, SubjectDraft, SubjectOutcome


class UnknownSubject(NotFound):
    """No data subject has this reference; records never create one."""

    code = "unknown-subject"
    text = "No data subject of yours has this id or reference; create the subject first."


class UnknownCategory(InvalidInput):
    """The controller has no category of this code."""

    code = "unknown-category"
    text = "There is no category with this code."


class RecordNotFound(NotFound):
    """No such record, or it is another controller's or another source's."""

    code = "record-not-found"
    text = "There is no record of yours with this id."


class CaseNotFound(NotFound):
    """No request with this id concerns this subject."""

    code = "case-not-found"
    text = "There is no open request with this id that concerns this data subject."


@dataclass(frozen=True, slots=True)
class IncomingRecord:
    """A record as a source sends it; the subject by id or by reference."""

    subject: UUID | Reference
    category: str
    reference: str
    document: Mapping[str, Any]
    expected_version: int | None = None


Result: TypeAlias = RecordOutcome | ServiceError
Check: TypeAlias = Callable[[Mapping[str, Any]], None]


def source_of(actor: Actor) -> UUID:
    """Who counts as the source of what `actor` sends: the client, or the person."""
    source = actor.person_id or actor.client_id
    if source is None:
        message = "A source is a client or a person."
        raise ValueError(message)
    return source


@no_open_transaction
def create_subjects(
    *, controller_id: UUID, drafts: Sequence[SubjectDraft], actor: Actor, now: datetime
) -> list[SubjectOutcome]:
    """Create subjects and let purposes that need no consent read them.

    Known subjects get what an interrupted call left undone, so a repeat completes it. Raises
    CustodianUnavailable; then the same call may be made again.
    """
    outcomes = subjects.create_many(
        controller_id=controller_id, drafts=drafts, actor=actor, now=now
    )
    known = [outcome.subject_id for outcome in outcomes if outcome.subject_id is not None]
    purposes.ground_new_subjects(controller_id=controller_id, subject_ids=known, now=now)
    return outcomes


@no_open_transaction
def complete_subject(*, controller_id: UUID, subject_id: UUID, now: datetime) -> None:
    """Do what a call that created the subject left undone when it broke off, if anything.

    Raises SubjectErased, RestoreReplayRequired, CustodianUnavailable.
    """
    gate.require_open()
    subjects.require_live(controller_id=controller_id, subject_id=subject_id)
    purposes.ground_new_subjects(controller_id=controller_id, subject_ids=[subject_id], now=now)


def required(outcome: SubjectOutcome) -> UUID:
    """The outcome's subject. Raises SubjectErased when it has none."""
    if outcome.subject_id is None:
        raise SubjectErased
    return outcome.subject_id


@no_open_transaction
def look_up(*, controller_id: UUID, reference: Reference) -> UUID:
    """As `find_subject`, for whoever wants to know that there is one.

    Raises RestoreReplayRequired too.
    """
    gate.require_open()
    return find_subject(controller_id=controller_id, reference=reference)


@no_open_transaction
def find_subject(*, controller_id: UUID, reference: Reference) -> UUID:
    """The living subject with this reference.

    Raises SubjectErased (fenced, erased or suppressed), UnknownSubject, CustodianUnavailable.
    """
    (found,) = owners(controller_id=controller_id, named=[reference])
    if isinstance(found, ServiceError):
        raise found
    return found


@no_open_transaction
def put_records(
    *, controller_id: UUID, records: Sequence[IncomingRecord], actor: Actor, now: datetime
) -> list[Result]:
    """Validate and seal each record; what is refused stands as its error in its place.

    Raises CustodianUnavailable and KeyLost; then nothing of this call was stored, and since
    identical content changes nothing the same call may be made again.
    """
    known = categories.by_code(controller_id=controller_id, codes={r.category for r in records})
    checks = {code: (category, categories.checker(category)) for code, category in known.items()}
    named = owners(controller_id=controller_id, named=[record.subject for record in records])
    source_id = source_of(actor)
    results: dict[int, Result] = {}
    drafts: dict[int, RecordDraft] = {}
    for index, (record, owner) in enumerate(zip(records, named, strict=True)):
        try:
            drafts[index] = _draft(record, checks.get(record.category), owner, source_id)
        except ServiceError as error:
            results[index] = error
    sealed = sealing.put_many(
        controller_id=controller_id, drafts=list(drafts.values()), actor=actor, now=now
    )
    results |= dict(zip(drafts, map(_checked, sealed), strict=True))
    return [results[index] for index in range(len(records))]


@no_open_transaction
def owners(*, controller_id: UUID, named: Sequence[UUID | Reference]) -> list[UUID | ServiceError]:
    """The subject each id or reference names, or why there is none; ids are not looked up.

    Raises CustodianUnavailable.
    """
    references = list(dict.fromkeys(name for name in named if isinstance(name, Reference)))
    # Ids alone need no key store: a withdrawal by id goes through while it is down.
    resolved = (
        subjects.resolve_many(controller_id=controller_id, references=references)
        if references
        else []
    )
    by_reference = dict(zip(references, resolved, strict=True))
    return [_owner(by_reference[name]) if isinstance(name, Reference) else name for name in named]


def _owner(found: Resolved) -> UUID | ServiceError:
    if found.subject_id is not None:
        return found.subject_id
    return UnknownSubject(field="subject") if found.state == "unknown" else SubjectErased()


def _draft(
    record: IncomingRecord,
    known: tuple[Category, Check] | None,
    owner: UUID | ServiceError,
    source_id: UUID,
) -> RecordDraft:
    if known is None:
        raise UnknownCategory(field="category")
    category, check = known
    check(record.document)
    if isinstance(owner, ServiceError):
        raise owner
    return RecordDraft(
        subject_id=owner,
        category_id=category.id,
        group=category.key_group,
        source_id=source_id,
        reference=record.reference,
        # Sorted, so that the same document sent in another order is still unchanged.
        document=orjson.dumps(record.document, option=orjson.OPT_SORT_KEYS),
        expected_version=record.expected_version,
    )


def _checked(outcome: RecordOutcome) -> Result:
    if outcome.outcome == "unknown-subject":
        return UnknownSubject(field="subject")
    if outcome.outcome == "erased":
        return SubjectErased()
    if outcome.outcome == "key-lost":
        return KeyLost()
    return outcome


@no_open_transaction
def read_own_records(
    *, controller_id: UUID, subject_id: UUID, actor: Actor, now: datetime
) -> list[OpenRecord]:
    """The current records that this source has sent; audited in the subject's trail.

    Raises SubjectNotFound, SubjectErased, CustodianUnavailable, KeyLost.
    """
    records = reading.custody_read(
        controller_id=controller_id, subject_id=subject_id, source_id=source_of(actor)
    )
    _audit_read(controller_id, subject_id, len(records), actor=actor, now=now)
    return records


@no_open_transaction
def read_case_records(
    *, controller_id: UUID, subject_id: UUID, request_id: UUID, actor: Actor, now: datetime
) -> list[OpenRecord]:
    """All current records, for a person who works on an open request of this subject; audited.

    Raises CaseNotFound, SubjectNotFound, SubjectErased, CustodianUnavailable, KeyLost.
    """
    subjects.require_live(controller_id=controller_id, subject_id=subject_id)
    _require_case(controller_id, subject_id, request_id)
    records = reading.custody_read(controller_id=controller_id, subject_id=subject_id)
    _audit_read(controller_id, subject_id, len(records), actor=actor, now=now)
    return records


@no_open_transaction
def read_versions(
    *,
    controller_id: UUID,
    record_id: UUID,
    request_id: UUID | None,
    actor: Actor,
    now: datetime,
) -> list[OpenRecord]:
    """All versions of a record, oldest first, for its source or, with a request, for a person.

    Raises RecordNotFound, CaseNotFound, SubjectErased, CustodianUnavailable, KeyLost.
    """
    rows = SealedRecord.objects.filter(record_id=record_id, subject__controller_id=controller_id)
    first = rows.values_list("subject_id", "source_id").first()
    if first is None or (request_id is None and first[1] != source_of(actor)):
        raise RecordNotFound
    if request_id is not None:
        _require_case(controller_id, first[0], request_id)
    found = reading.versions(controller_id=controller_id, record_id=record_id)
    if not found:
        raise RecordNotFound
    _audit_read(controller_id, first[0], len(found), actor=actor, now=now)
    return found


def _require_case(controller_id: UUID, subject_id: UUID, request_id: UUID) -> None:
    is_theirs = (
        SubjectRequest.objects.filter(
            id=request_id, controller_id=controller_id, subject_id=subject_id
        )
        .exclude(state__in=SubjectRequest.CLOSED)
        .exists()
    )
    if not is_theirs:
        raise CaseNotFound(field="case")


def _audit_read(
    controller_id: UUID,
    subject_id: UUID,
    count: int,
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """Record who read; before anything is handed out, and refused once the subject is fenced.

    The case that permitted it is checked and not named: an event with a trail and a request
    would lead from the case, which outlives the erasure, back to the person's trail.
    """
    with unit_of_work(), statements.pipelined():
        trail_id = subjects.hold_live(controller_id=controller_id, subject_id=subject_id)
        audit.record(
            action="governance.records.read",
            actor=actor,
            controller_id=controller_id,
            now=now,
            trail_id=trail_id,
            details={"records": count},
        )
