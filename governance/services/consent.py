"""Consent: an append-only record of each decision, and the grants that follow from the latest.

A record is committed with the change of ground it causes; grants are made right after, outside
any transaction, and an effect makes them if that fails, so a key store that is down loses nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from core import idempotency, ids
from core.actors import Actor
from core.errors import InvalidInput, NotFound, ServiceError
from core.ids import PublicId
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from governance.domain.consent import ConsentDraft
from governance.domain.law import ConsentDecision, LawfulBasis
from governance.models import ConsentRecord, PurposeVersion
from governance.services import consent_records, purposes
from governance.services.consent_records import Kept
from vault.domain.states import SubjectState
from vault.errors import SubjectErased
from vault.models import Subject
from vault.services import gate, grants, subjects
from vault.services.grants import Ground

Access = Literal["granted", "pending", "none"]
_CLOCK_SKEW = timedelta(minutes=5)
#: Most decisions in one unit of work.
BATCH = 500


class NotConsentBased(InvalidInput):
    """Consent does not decide about a purpose with another lawful basis."""

    code = "not-consent-based"
    text = "This purpose does not rest on consent."


class ExplicitConsentNeeded(InvalidInput):
    """Special categories need explicit consent (Article 9(2)(a))."""

    code = "explicit-consent-needed"
    text = "A purpose that reads special categories needs explicit consent."


class DecidedInFuture(InvalidInput):
    """The time of the decision has not come yet."""

    code = "decided-in-future"
    text = "The time of the decision lies in the future."


class ConsentNotFound(NotFound):
    """No such decision, or another controller's."""

    code = "consent-not-found"
    text = "There is no decision of yours with this id."


class TextMissing(InvalidInput):
    """Proof of consent names the text that was shown (Article 7(1))."""

    code = "consent-text-missing"
    text = "Name the digest and language of the text shown."


@dataclass(frozen=True, slots=True)
class ConsentOutcome:
    """The record kept, and whether the purpose can read now (`pending`: soon, by itself)."""

    record: ConsentRecord
    access: Access


@no_open_transaction
def record(
    *, controller_id: UUID, draft: ConsentDraft, actor: Actor, now: datetime
) -> ConsentOutcome:
    """Keep the decision and act on it if it is the person's latest about the purpose.

    Raises SubjectNotFound, SubjectErased, PurposeNotFound, PurposeInactive, NotConsentBased,
    ExplicitConsentNeeded, DecidedInFuture, TextMissing. A key store that is down raises nothing:
    access is `pending` then, and a withdrawal needs no key store at all.
    """
    (outcome,) = record_many(controller_id=controller_id, drafts=[draft], actor=actor, now=now)
    if isinstance(outcome, ServiceError):
        raise outcome
    return outcome


@no_open_transaction
def record_many(
    *, controller_id: UUID, drafts: Sequence[ConsentDraft], actor: Actor, now: datetime
) -> list[ConsentOutcome | ServiceError]:
    """As `record` for each draft, in order; what is refused stands as its error in its place."""
    outcomes: list[ConsentOutcome | ServiceError] = []
    for start in range(0, len(drafts), BATCH):
        batch = drafts[start : start + BATCH]
        versions = _checked_versions(controller_id, batch, now=now)
        batch = [replace(draft, decided_at=min(draft.decided_at, now)) for draft in batch]
        with unit_of_work():
            versions = purposes.held_in_force(versions)
            kept = consent_records.keep(controller_id, batch, versions, actor=actor, now=now)
            _settle(kept)
        outcomes += _outcomes(kept, now=now)
    return outcomes


@requires_unit_of_work
def _settle(kept: Sequence[Kept | ServiceError]) -> None:
    """What a repeat is told of a request about one decision, until its grants are made."""
    if len(kept) == 1 and isinstance(kept[0], Kept):
        access = "pending" if kept[0].ground else _still_granted(kept)(kept[0])
        public = ids.format(PublicId.CONSENT, kept[0].record.id)
        idempotency.settle(resource_id=f"{public}:{access}")


def _checked_versions(
    controller_id: UUID, drafts: Sequence[ConsentDraft], *, now: datetime
) -> list[PurposeVersion | ServiceError]:
    in_force: dict[UUID, PurposeVersion | ServiceError] = {}
    for purpose_id in {draft.purpose_id for draft in drafts}:
        try:
            in_force[purpose_id] = _consent_version(controller_id, purpose_id)
        except ServiceError as error:
            in_force[purpose_id] = error
    return [_checked(in_force[draft.purpose_id], draft, now=now) for draft in drafts]


def _consent_version(controller_id: UUID, purpose_id: UUID) -> PurposeVersion:
    purpose = purposes.get(controller_id=controller_id, purpose_id=purpose_id)
    version = purposes.in_force(purpose)
    if version.lawful_basis != LawfulBasis.CONSENT:
        raise NotConsentBased(field="purpose")
    return version


def _checked(
    version: PurposeVersion | ServiceError, draft: ConsentDraft, *, now: datetime
) -> PurposeVersion | ServiceError:
    if isinstance(version, ServiceError):
        return version
    if draft.decided_at > now + _CLOCK_SKEW:
        return DecidedInFuture(field="decided_at")
    if draft.decision == ConsentDecision.GIVEN:
        if not (draft.text_digest and draft.language):
            return TextMissing(field="text_digest")
        if version.special_condition and not draft.is_explicit:
            return ExplicitConsentNeeded(field="is_explicit")
    return version


def _outcomes(
    kept: Sequence[Kept | ServiceError], *, now: datetime
) -> list[ConsentOutcome | ServiceError]:
    """Make the grants of the grounds that were opened, one call per version of a purpose."""
    groups: dict[UUID, list[Kept]] = defaultdict(list)
    for one in kept:
        if isinstance(one, Kept) and one.ground is not None:
            groups[one.version.id].append(one)
    access: dict[UUID, Access] = {
        version_id: _issue(group[0].version, [one.ground for one in group if one.ground], now=now)
        for version_id, group in groups.items()
    }
    still = _still_granted(kept)
    return [
        one
        if isinstance(one, ServiceError)
        else ConsentOutcome(one.record, access[one.version.id] if one.ground else still(one))
        for one in kept
    ]


def _still_granted(kept: Sequence[Kept | ServiceError]) -> Callable[[Kept], Access]:
    """What an older decision that arrived late left as it was; nothing after a latest one."""
    late = [one for one in kept if isinstance(one, Kept) and not one.is_latest]
    held = grants.current_grounds((one.subject_id, one.record.purpose_id) for one in late)

    def access(one: Kept) -> Access:
        is_held = not one.is_latest and (one.subject_id, one.record.purpose_id) in held
        return "granted" if is_held else "none"

    return access


def _issue(version: PurposeVersion, grounds: Sequence[Ground], *, now: datetime) -> Access:
    try:
        grants.issue(grounds=grounds, categories=purposes.category_refs(version), now=now)
    except ServiceError:  # the decision is kept; the effect tries again and says what is wrong
        return "pending"
    return "granted"


@no_open_transaction
def finish(*, first: UUID, last: UUID, now: datetime) -> None:
    """Make the grants of the consents from `first` to `last` that are still in force.

    Repeats change nothing. Raises CustodianUnavailable.
    """
    rows = ConsentRecord.objects.filter(id__range=(first, last), decision=ConsentDecision.GIVEN)
    kept = list(rows.select_related("purpose_version"))
    subjects_ = dict(
        Subject.objects.filter(trail_id__any=[row.trail_id for row in kept]).values_list(
            "trail_id", "id"
        )
    )
    groups: dict[UUID, list[Ground]] = defaultdict(list)
    held = grants.current_grounds(
        (subjects_[row.trail_id], row.purpose_id) for row in kept if row.trail_id in subjects_
    )
    for row in kept:
        subject_id = subjects_.get(row.trail_id)
        ground = subject_id and held.get((subject_id, row.purpose_id))
        if ground and ground.ground == row.id:
            groups[row.purpose_version_id].append(ground)
    versions = {row.purpose_version_id: row.purpose_version for row in kept}
    for version_id, grounds in groups.items():
        categories = purposes.category_refs(versions[version_id])
        grants.issue(grounds=grounds, categories=categories, now=now)


def get(*, controller_id: UUID, consent_id: UUID) -> ConsentRecord:
    """A decision of a living subject. Raises ConsentNotFound, SubjectErased."""
    gate.require_open()
    rows = ConsentRecord.objects.select_related("purpose_version")
    row = rows.filter(id=consent_id, controller_id=controller_id).first()
    if row is None:
        raise ConsentNotFound
    if not Subject.objects.filter(trail_id=row.trail_id, state=SubjectState.LIVE).exists():
        raise SubjectErased
    return row


def history(*, controller_id: UUID, subject_id: UUID) -> list[ConsentRecord]:
    """Every decision of the subject, oldest first. Raises SubjectNotFound, SubjectErased."""
    gate.require_open()
    subject = subjects.require_live(controller_id=controller_id, subject_id=subject_id)
    if subject.trail_id is None:
        raise SubjectErased
    rows = ConsentRecord.objects.filter(trail_id=subject.trail_id)
    return list(rows.order_by("decided_at", "id"))


def counts(*, controller_id: UUID, purpose_id: UUID) -> dict[str, int]:
    """How many living subjects stand where with the purpose, by their latest decision.

    Keys: `subjects`, `given`, `refused`, `withdrawn`, `undecided`.
    """
    gate.require_open()
    living = Subject.objects.filter(
        controller_id=controller_id, state="live", trail_id__isnull=False
    ).exclude(evidence_public=None)  # what a creation that broke off left: nobody's
    total = living.count()
    latest = (
        ConsentRecord.objects.filter(purpose_id=purpose_id, trail_id__in=living.values("trail_id"))
        .order_by("trail_id", "-decided_at", "-id")
        .distinct("trail_id")
        .values_list("decision", flat=True)
    )
    tally = dict.fromkeys((decision.value for decision in ConsentDecision), 0)
    for decision in latest:
        tally[decision] += 1
    return {"subjects": total, **tally, "undecided": total - sum(tally.values())}


__all__ = [
    "ConsentDraft",
    "ConsentOutcome",
    "counts",
    "finish",
    "get",
    "history",
    "record",
    "record_many",
]
