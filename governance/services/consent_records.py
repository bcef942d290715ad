"""Consent records: stored in one unit of work with the change of ground that each one causes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from django.db.models import Max

from core import audit, effects
from core.actors import Actor, process_actor
from core.errors import ServiceError
from core.ids import new_time_ordered
from core.unit_of_work import requires_unit_of_work
from governance.domain.consent import ConsentDraft
from governance.domain.law import Channel, ConsentDecision
from governance.models import ConsentRecord, PurposeVersion
from governance.services import consent_status, facts
from vault.domain.states import SubjectState
from vault.errors import SubjectErased, SubjectNotFound
from vault.models import Removal, Subject
from vault.ports import Revoked
from vault.services import grants
from vault.services.grants import Ground, Opening, Withdrawal

#: How long the call that records has to make the grants before the effect does.
PATIENCE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Kept:
    """A record that was stored, and the ground that it opened if it is the latest."""

    record: ConsentRecord
    version: PurposeVersion
    subject_id: UUID
    is_latest: bool
    ground: Ground | None


@requires_unit_of_work
def keep(
    controller_id: UUID,
    drafts: Sequence[ConsentDraft],
    versions: Sequence[PurposeVersion | ServiceError],
    *,
    actor: Actor,
    now: datetime,
) -> list[Kept | ServiceError]:
    """Store records under their subjects' locks; open or end the grounds of the latest ones."""
    people = _locked(controller_id, {draft.subject_id for draft in drafts})
    latest = _latest(people.values(), {draft.purpose_id for draft in drafts})
    results: list[Kept | ServiceError] = []
    acts: list[int] = []
    for told, version in zip(drafts, versions, strict=True):
        trail = people.get(told.subject_id) or SubjectNotFound()
        if isinstance(version, ServiceError) or isinstance(trail, ServiceError):
            results.append(version if isinstance(version, ServiceError) else trail)  # type: ignore[arg-type]
            continue
        known = latest.get((trail, told.purpose_id), told.decided_at)
        draft = _after(told, known, now)
        row = _row(controller_id, draft, version, trail, actor=actor, now=now)
        is_latest = draft.decided_at >= known
        if is_latest:
            latest[trail, draft.purpose_id] = draft.decided_at
            acts.append(len(results))
        results.append(Kept(row, version, draft.subject_id, is_latest, None))
    _store([result.record for result in results if isinstance(result, Kept)], actor=actor)
    for index, ground in _act(
        [
            (index, drafts[index].subject_id, done.record)
            for index in acts
            if isinstance(done := results[index], Kept)
        ],
        now=now,
    ).items():
        done = results[index]
        if isinstance(done, Kept):
            results[index] = replace(done, ground=ground)
    _promise([r for r in results if isinstance(r, Kept)], now=now)
    return results


def _after(draft: ConsentDraft, known: datetime, now: datetime) -> ConsentDraft:
    """What is decided by this very request comes after all that is known, whatever the clocks say.

    Else a withdrawal would change nothing on a machine whose clock is behind, or was put back.
    """
    if draft.decided_at < now or known <= draft.decided_at:
        return draft
    return replace(draft, decided_at=known + timedelta(microseconds=1))


@requires_unit_of_work
def _locked(controller_id: UUID, subject_ids: set[UUID]) -> dict[UUID, UUID | SubjectErased]:
    """Subject to trail, locked until commit; one order, so that batches cannot deadlock."""
    rows = (
        Subject.objects.select_for_update()
        .filter(id__any=subject_ids, controller_id=controller_id)
        .order_by("id")
        .values_list("id", "state", "trail_id")
    )
    return {
        id_: trail if trail is not None and state == SubjectState.LIVE else SubjectErased()
        for id_, state, trail in rows
    }


def _latest(
    trails: Iterable[UUID | SubjectErased], purpose_ids: set[UUID]
) -> dict[tuple[UUID, UUID], datetime]:
    """When each person last decided about each purpose."""
    rows = ConsentRecord.objects.filter(
        trail_id__any=[trail for trail in trails if isinstance(trail, UUID)],
        purpose_id__in=purpose_ids,
    )
    times = rows.values_list("trail_id", "purpose_id").annotate(latest=Max("decided_at"))
    return {(trail, purpose): latest for trail, purpose, latest in times}


def _row(
    controller_id: UUID,
    draft: ConsentDraft,
    version: PurposeVersion,
    trail: UUID,
    *,
    actor: Actor,
    now: datetime,
) -> ConsentRecord:
    return ConsentRecord(
        id=new_time_ordered(),
        controller_id=controller_id,
        trail_id=trail,
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


@requires_unit_of_work
def _store(rows: Sequence[ConsentRecord], *, actor: Actor) -> None:
    ConsentRecord.objects.bulk_create(rows)
    audit.record_many(
        [
            audit.Event(
                action=f"governance.consent.{row.decision}",
                actor=actor,
                controller_id=row.controller_id,
                now=row.recorded_at,
                trail_id=row.trail_id,
                details={
                    "consent": str(row.id),
                    "purpose": str(row.purpose_id),
                    "facts": facts.digest(facts.of_consent(row)),
                },
            )
            for row in rows
        ]
    )


_Act: TypeAlias = tuple[int, UUID, ConsentRecord]


@requires_unit_of_work
def _act(acts: Sequence[_Act], *, now: datetime) -> dict[int, Ground]:
    """Open and end grounds in the order of the decisions; the grounds opened, by index."""
    opened: dict[int, Ground] = {}
    for turn in _turns(acts):
        given = [act for act in turn if act[2].decision == ConsentDecision.GIVEN]
        openings = [
            Opening(subject_id, kept.purpose_id, kept.id, kept.decided_at)
            for _, subject_id, kept in given
        ]
        grounds = grants.open_grounds(openings=openings, now=now)
        opened |= {
            index: ground
            for (index, _, _), ground in zip(given, grounds, strict=True)
            if isinstance(ground, Ground)
        }
        withdrawals = [
            Withdrawal(subject_id, kept.purpose_id, kept.decided_at)
            for _, subject_id, kept in turn
            if kept.decision != ConsentDecision.GIVEN
        ]
        grants.withdraw_many(withdrawals=withdrawals, reason=Removal.Reason.WITHDRAWN, now=now)
        _end(kept for _, _, kept in turn)
    return opened


@requires_unit_of_work
def _end(rows: Iterable[ConsentRecord]) -> None:
    """Receipts of the consents that these decisions end say so from the next version on."""
    ended = [
        (row.trail_id, row.purpose_id) for row in rows if row.decision != ConsentDecision.GIVEN
    ]
    if ended:
        consent_status.end(ended)


def _turns(acts: Sequence[_Act]) -> Iterator[list[_Act]]:
    """Parts in order, in each of which no one decides twice about one purpose."""
    turn: list[_Act] = []
    seen: set[tuple[UUID, UUID]] = set()
    for act in acts:
        pair = act[1], act[2].purpose_id
        if pair in seen:
            yield turn
            turn, seen = [], set()
        turn.append(act)
        seen.add(pair)
    yield turn


@requires_unit_of_work
def _promise(kept: Sequence[Kept], *, now: datetime) -> None:
    """One effect for the batch makes the grants that this call may fail to make.

    It names consents, never subjects: effects outlive an erasure and must not lead from a
    subject's id to its trail.
    """
    ids = [one.record.id for one in kept if one.ground is not None]
    if ids:
        effects.enqueue(
            kind="governance.activate-consents",
            key=str(min(ids)),
            payload={"first": str(min(ids)), "last": str(max(ids))},
            now=now,
            not_before=now + PATIENCE,
        )


@requires_unit_of_work
def keep_replayed(revocations: Sequence[Revoked], *, now: datetime) -> None:
    """Records of withdrawals that the erasure journal knew and a restored database did not.

    Only where the restored database's latest decision is older; a repeat changes nothing. A
    purpose that the restored database does not know has no record to get.
    """
    rows = [row for one in revocations if (row := _replayed(one, now=now)) is not None]
    _store(rows, actor=process_actor("eraser"))
    _end(rows)


def _replayed(one: Revoked, *, now: datetime) -> ConsentRecord | None:
    known = ConsentRecord.objects.filter(trail_id=one.trail_id, purpose_id=one.purpose_id)
    latest = known.order_by("-decided_at", "-id").first()
    if latest is None or latest.decided_at > one.decided_at:
        return None
    if latest.decision != ConsentDecision.GIVEN:
        return None
    return ConsentRecord(
        id=new_time_ordered(),
        controller_id=one.controller_id,
        trail_id=one.trail_id,
        purpose_id=one.purpose_id,
        purpose_version_id=latest.purpose_version_id,
        decision=ConsentDecision.WITHDRAWN,
        is_explicit=False,
        text_digest="",
        language="",
        channel=Channel.REPLAY,
        decided_at=one.decided_at,
        recorded_at=now,
        recorded_by=process_actor("eraser").id,
    )
