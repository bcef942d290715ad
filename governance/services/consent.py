"""Consent: an append-only record of each decision, and the grants that follow from the latest.

A record is committed with the change of ground it causes; grants are made right after, outside
any transaction, and an effect makes them if that fails, so a key store that is down loses nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from core import audit, effects
from core.actors import Actor
from core.errors import InvalidInput, ServiceError
from core.ids import new_time_ordered
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from governance.domain.law import Channel, ConsentDecision, LawfulBasis
from governance.models import ConsentRecord, PurposeVersion
from governance.services import purposes
from vault.errors import CustodianUnavailable
from vault.models import Removal, Subject
from vault.services import grants, subjects
from vault.services.grants import Ground

Access = Literal["granted", "pending", "none"]
_CLOCK_SKEW = timedelta(minutes=5)


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


class TextMissing(InvalidInput):
    """Proof of consent names the text that was shown (Article 7(1))."""

    code = "consent-text-missing"
    text = "Name the digest and language of the text shown."


@dataclass(frozen=True, slots=True)
class ConsentDraft:
    """One decision of one person about one purpose, as a source reports it.

    `text_digest` is the hex SHA-256 of the UTF-8 text that was shown (a notice is public).
    """

    subject_id: UUID
    purpose_id: UUID
    decision: ConsentDecision
    channel: Channel
    decided_at: datetime
    text_digest: str = ""
    language: str = ""
    is_explicit: bool = False


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
    version = _checked_version(controller_id, draft, now=now)
    with unit_of_work():
        kept, ground = _keep(controller_id, version, draft, actor=actor, now=now)
    if ground is None:
        return ConsentOutcome(kept, "none")
    return ConsentOutcome(kept, _issue(version, [ground], now=now))


@no_open_transaction
def record_many(
    *, controller_id: UUID, drafts: Sequence[ConsentDraft], actor: Actor, now: datetime
) -> list[ConsentOutcome | ServiceError]:
    """As `record` for each draft, in order; what is refused stands as its error in its place."""
    outcomes: list[ConsentOutcome | ServiceError] = []
    grounded: dict[UUID, list[tuple[int, PurposeVersion, Ground]]] = {}
    for index, draft in enumerate(drafts):
        try:
            version = _checked_version(controller_id, draft, now=now)
            with unit_of_work():
                kept, ground = _keep(controller_id, version, draft, actor=actor, now=now)
        except ServiceError as error:
            outcomes.append(error)
            continue
        outcomes.append(ConsentOutcome(kept, "none"))
        if ground is not None:
            grounded.setdefault(version.id, []).append((index, version, ground))
    for group in grounded.values():
        access = _issue(group[0][1], [ground for _, _, ground in group], now=now)
        for index, _, _ in group:
            outcome = outcomes[index]
            if isinstance(outcome, ConsentOutcome):
                outcomes[index] = ConsentOutcome(outcome.record, access)
    return outcomes


def _checked_version(controller_id: UUID, draft: ConsentDraft, *, now: datetime) -> PurposeVersion:
    version = purposes.active_version(controller_id=controller_id, purpose_id=draft.purpose_id)
    if version.lawful_basis != LawfulBasis.CONSENT:
        raise NotConsentBased(field="purpose")
    if draft.decided_at > now + _CLOCK_SKEW:
        raise DecidedInFuture(field="decided_at")
    if draft.decision == ConsentDecision.GIVEN:
        if not (draft.text_digest and draft.language):
            raise TextMissing(field="text_digest")
        if version.special_condition and not draft.is_explicit:
            raise ExplicitConsentNeeded(field="is_explicit")
    return version


@requires_unit_of_work
def _keep(
    controller_id: UUID,
    version: PurposeVersion,
    draft: ConsentDraft,
    *,
    actor: Actor,
    now: datetime,
) -> tuple[ConsentRecord, Ground | None]:
    """Store the record under the subject's lock; open or end the ground if it is the latest."""
    subjects.require_live(controller_id=controller_id, subject_id=draft.subject_id)
    subject = grants.lock_subject(draft.subject_id)
    kept = ConsentRecord(
        id=new_time_ordered(),
        controller_id=controller_id,
        trail_id=subject.trail_id,
        purpose_id=draft.purpose_id,
        purpose_version=version,
        decision=draft.decision,
        is_explicit=draft.is_explicit,
        text_digest=draft.text_digest,
        language=draft.language,
        channel=draft.channel,
        decided_at=draft.decided_at,
        recorded_at=now,
        recorded_by=actor.id,
    )
    latest = latest_record(subject=subject, purpose_id=draft.purpose_id)
    kept.save(force_insert=True)
    audit.record(
        action=f"governance.consent.{draft.decision}",
        actor=actor,
        controller_id=controller_id,
        now=now,
        trail_id=subject.trail_id,
        details={"consent": str(kept.id), "purpose": str(draft.purpose_id)},
    )
    if latest is not None and latest.decided_at > draft.decided_at:
        return kept, None  # an older decision that arrived late; kept as history only
    return kept, _act(subject, kept, now=now)


def _act(subject: Subject, kept: ConsentRecord, *, now: datetime) -> Ground | None:
    if kept.decision != ConsentDecision.GIVEN:
        grants.withdraw(
            subject_id=subject.id,
            purpose_id=kept.purpose_id,
            reason=Removal.Reason.WITHDRAWN,
            now=now,
        )
        return None
    ground = grants.open_ground(
        subject_id=subject.id, purpose_id=kept.purpose_id, ground=kept.id, now=now
    )
    effects.enqueue(
        kind="governance.activate-consents",
        key=str(kept.id),
        # Never the subject: effects outlive an erasure and must not lead from id to trail.
        payload={"consent_id": str(kept.id)},
        now=now,
        not_before=now + timedelta(seconds=30),
    )
    return ground


def latest_record(*, subject: Subject, purpose_id: UUID) -> ConsentRecord | None:
    """The person's latest decision about the purpose, or None."""
    rows = ConsentRecord.objects.filter(trail_id=subject.trail_id, purpose_id=purpose_id)
    return rows.order_by("-decided_at", "-id").first()


def _issue(version: PurposeVersion, grounds: Sequence[Ground], *, now: datetime) -> Access:
    try:
        grants.issue(grounds=grounds, categories=purposes.category_refs(version), now=now)
    except CustodianUnavailable:
        return "pending"
    return "granted"


@no_open_transaction
def finish(*, consent_id: UUID, now: datetime) -> None:
    """Make the grants of a consent while it is the ground in force; repeats change nothing.

    Raises CustodianUnavailable.
    """
    kept = ConsentRecord.objects.select_related("purpose_version").get(id=consent_id)
    subject = Subject.objects.filter(trail_id=kept.trail_id).first()
    if subject is None:
        return
    ground = grants.current_ground(subject_id=subject.id, purpose_id=kept.purpose_id)
    if ground is None or ground.ground != kept.id:
        return
    categories = purposes.category_refs(kept.purpose_version)
    grants.issue(grounds=[ground], categories=categories, now=now)


def history(*, controller_id: UUID, subject_id: UUID) -> list[ConsentRecord]:
    """Every decision of the subject, oldest first. Raises SubjectNotFound, SubjectErased."""
    subject = subjects.require_live(controller_id=controller_id, subject_id=subject_id)
    return list(
        ConsentRecord.objects.filter(trail_id=subject.trail_id).order_by("decided_at", "id")
    )


def counts(*, controller_id: UUID, purpose_id: UUID) -> dict[str, int]:
    """How many living subjects stand where with the purpose, by their latest decision.

    Keys: `subjects`, `given`, `refused`, `withdrawn`, `undecided`.
    """
    living = Subject.objects.filter(controller_id=controller_id, state="live").exclude(
        trail_id=None
    )
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
