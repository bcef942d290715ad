"""Shares that the key store lacks though nobody destroyed them: LOST, until it has them again.

A key store that was put back to an older snapshot lacks what was made since. `find` compares the
rows with the store's own listing, a sixteenth of the names at a time, marks what is missing and
unmarks what is there again. It may be interrupted anywhere and run again. It reads no share.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from core import audit, failpoints, metrics
from core.actors import Actor, process_actor
from core.errors import Conflict
from core.logging import get_logger
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.binding import share_digest
from vault.domain.states import CANCELLABLE, ShareState, ShreddingState
from vault.models import KeyShare, ShreddingShare, Subject
from vault.ports import ShareState as StoreState
from vault.services import keys, lost_versions

logger = get_logger(__name__)
ERASER = process_actor("eraser")
_BATCH: Final = 500
#: Of the 256 folders of shares, so many are compared at once.
_FOLDERS: Final = 16
#: A successor is made anew by its re-key; what was never in use is missing by right.
_COMPARED: Final = (ShareState.LIVE, ShareState.LOST, ShareState.RETIRED)


class LossNotAccepted(Conflict):
    """So much is missing that the key store is more likely the wrong one, or empty."""

    code = "loss-not-accepted"
    text = (
        "The key store lacks so many keys of living people that it is most likely the wrong one, "
        "or too old a snapshot. Nothing was marked as lost."
    )


@dataclass(frozen=True, slots=True)
class Found:
    """How many shares were looked at, found missing, found again, and are LOST now in all.

    `versions` of wrapping keys are lost: what they wrapped cannot be opened either.
    """

    checked: int
    lost: int
    again: int
    standing: int
    versions: int = 0


@dataclass(frozen=True, slots=True)
class Loss:
    """A person of whom one key group cannot be opened, and since when that is known."""

    subject_id: UUID
    group: str
    lost_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Part:
    """Shares of one controller whose names lie in these folders."""

    controller_id: UUID
    folders: range

    def rows(self) -> QuerySet[KeyShare]:
        first = UUID(int=self.folders.start << 120)
        last = UUID(int=(self.folders.stop << 120) - 1)
        return KeyShare.objects.filter(
            controller_id=self.controller_id, kid__gte=first, kid__lte=last, state__in=_COMPARED
        )

    def held(self) -> set[UUID]:
        kids = runtime.inventory().kids(controller_id=self.controller_id, folders=self.folders)
        return {UUID(bytes=kid) for kid in kids}


@no_open_transaction
def find(*, now: datetime, accepted_by: Actor | None = None) -> Found:
    """Mark what the key store lacks LOST, and LIVE what it has again; as the eraser.

    Raises CustodianUnavailable (repeat), and LossNotAccepted with nothing marked when more than
    LETHE_LOSS_PERCENT of what is in use is missing, or the store lists nothing at all, unless
    `accepted_by` names who answers for it.
    """
    checked = _survey(accepted_by, now=now)
    versions = lost_versions.find(now=now)
    lost = again = 0
    for part in _parts():
        missing, there = _compare(part)
        lost += sum(_lose(part, batch, now=now) for batch in _batches(missing))
        again += sum(_return(part, batch, now=now) for batch in _batches(there))
    if lost:
        metrics.integrity_violated(code="key-lost")
        logger.critical("key_share.lost", code="key-lost", count=lost)
    return Found(checked, lost, again, count(), versions)


def _parts() -> Iterator[_Part]:
    rows = KeyShare.objects.filter(state__in=_COMPARED).order_by("controller_id")
    for controller_id in list(rows.values_list("controller_id", flat=True).distinct()):
        for first in range(0, 256, _FOLDERS):
            part = _Part(controller_id, range(first, first + _FOLDERS))
            if part.rows().exists():
                yield part


def _survey(accepted_by: Actor | None, *, now: datetime) -> int:
    """How many shares are in use, after seeing that the listing is credible or accepted."""
    in_use = missing = 0
    lists_any = False
    for part in _parts():
        # The rows first: what is made meanwhile is then not among them.
        rows = part.rows().exclude(state=ShareState.RETIRED).values_list("kid", "state")
        known, held = list(rows), part.held()
        lists_any = lists_any or bool(held)
        in_use += len(known)
        missing += sum(state == ShareState.LIVE and kid not in held for kid, state in known)
    is_much = missing * 100 > in_use * settings.LETHE_LOSS_PERCENT
    if missing and (is_much or not lists_any):
        _require_accepted(accepted_by, missing, in_use, now=now)
    return in_use


def _require_accepted(
    accepted_by: Actor | None, missing: int, in_use: int, *, now: datetime
) -> None:
    logger.critical("key_share.many_missing", code="key-lost", count=missing)
    if accepted_by is None:
        raise LossNotAccepted(missing=missing, of=in_use)
    with unit_of_work():
        audit.record(
            action="vault.share.loss-accepted",
            actor=accepted_by,
            controller_id=None,
            now=now,
            details={"missing": missing, "of": in_use},
        )


def _compare(part: _Part) -> tuple[list[UUID], list[UUID]]:
    """What is missing and was not, and what is there and was missing; each read one by one."""
    fenced = ShreddingShare.objects.filter(share=OuterRef("kid"), was_live=True)
    was_in_use = Q(state=ShareState.RETIRED) & Q(
        Exists(fenced.exclude(shredding__state=ShreddingState.CANCELLED))
    )
    rows = part.rows().filter(~Q(state=ShareState.RETIRED) | was_in_use | ~Q(lost_at=None))
    known, held = list(rows.values_list("kid", "state", "lost_at")), part.held()
    missing = [
        kid
        for kid, state, lost_at in known
        if kid not in held and state != ShareState.LOST and lost_at is None
    ]
    there = [
        kid
        for kid, state, lost_at in known
        if kid in held and (state == ShareState.LOST or lost_at is not None)
    ]
    return _reading(missing, {StoreState.ABSENT}), _reading(there, {StoreState.LIVE})


def _reading(kids: Sequence[UUID], state: set[StoreState]) -> list[UUID]:
    """Those of the shares that every node reads in this state; a listing alone proves nothing."""
    found: list[UUID] = []
    for batch in _batches(kids):
        refs = [keys.share_ref(share) for share in KeyShare.objects.filter(kid__in=batch)]
        states: dict[UUID, set[StoreState]] = {}
        for reading in runtime.custodian().read_destruction(refs):
            states.setdefault(UUID(bytes=reading.ref.kid), set()).add(reading.state)
        found += [kid for kid in batch if states.get(kid) == state]
    return found


def _batches(kids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    return (kids[start : start + _BATCH] for start in range(0, len(kids), _BATCH))


def _lose(part: _Part, kids: Sequence[UUID], *, now: datetime) -> int:
    with unit_of_work():
        rows = _locked(kids)
        in_use = rows.filter(state=ShareState.LIVE).update(state=ShareState.LOST, lost_at=now)
        fenced = rows.filter(state=ShareState.RETIRED).update(lost_at=now)
        _note("lost", part, in_use + fenced, now=now)
    failpoints.reach("vault.losing.marked")
    return in_use + fenced


def _return(part: _Part, kids: Sequence[UUID], *, now: datetime) -> int:
    with unit_of_work():
        rows = _locked(kids)
        open_ones = KeyShare.objects.filter(
            subject=OuterRef("subject"),
            group=OuterRef("group"),
            state__in=[ShareState.PLANNED, ShareState.LIVE],
        )
        lost = rows.filter(~Exists(open_ones), state=ShareState.LOST)
        in_use = lost.update(state=ShareState.LIVE, lost_at=None)
        fenced = _return_fenced(rows.filter(state=ShareState.RETIRED))
        _note("found", part, in_use + fenced, now=now)
    failpoints.reach("vault.losing.returned")
    return in_use + fenced


@requires_unit_of_work
def _return_fenced(rows: QuerySet[KeyShare]) -> int:
    """Let a fence that is called off put them back in use: it found them LOST."""
    begun = ShreddingShare.objects.filter(share__in=rows, was_live=False)
    in_place = ShreddingShare.objects.filter(
        shredding=OuterRef("shredding"), share__group=OuterRef("share__group"), was_live=True
    )
    for link in begun.filter(shredding__state__in=CANCELLABLE).order_by("share__planned_at"):
        ShreddingShare.objects.filter(~Exists(in_place), pk=link.pk).update(was_live=True)
    return rows.update(lost_at=None)


@requires_unit_of_work
def _locked(kids: Sequence[UUID]) -> QuerySet[KeyShare]:
    """The shares under the locks of their subjects: who writes for them meanwhile is waited for."""
    rows = KeyShare.objects.filter(kid__in=kids)
    owners = Subject.objects.filter(id__in=rows.values("subject"))
    list(owners.select_for_update().order_by("id").values_list("id"))
    return rows


@requires_unit_of_work
def _note(step: str, part: _Part, count: int, *, now: datetime) -> None:
    if count:
        audit.record(
            action=f"vault.share.{step}",
            actor=ERASER,
            controller_id=part.controller_id,
            now=now,
            details={"shares": count},
        )


def count() -> int:
    """How many shares are LOST."""
    return KeyShare.objects.filter(state=ShareState.LOST).count()


def standing(*, controller_id: UUID) -> list[Loss]:
    """Whose data cannot be opened because a share is LOST, by subject."""
    rows = KeyShare.objects.filter(
        controller_id=controller_id, state=ShareState.LOST, subject__isnull=False
    )
    named = rows.order_by("subject_id", "group").values_list("subject_id", "group", "lost_at")
    return [Loss(subject, group, at) for subject, group, at in named]


def digests(*, erasure_id: UUID) -> frozenset[str]:
    """Digests of the erasure's shares that were found missing before it, for its certificate."""
    rows = ShreddingShare.objects.filter(shredding=erasure_id, share__lost_at__isnull=False)
    return frozenset(share_digest(kid) for kid in rows.values_list("share_id", flat=True))
