"""The erasure machine from ORDERED to KEYS_DESTROYED: journal, destroy, read back, settle.

Nothing is destroyed before the journal holds the intent. The key store's own marker is moved
before the database settles, so that a database ahead of the marker always means a key store
that was put back.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core import failpoints
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.gate import moved
from vault.domain.states import ShareState, ShreddingState
from vault.models import Destruction, KeyShare, Shredding, ShreddingShare
from vault.ports import DestructionReading, ShareRef
from vault.ports import ShareState as StoreState
from vault.services import journal, shredding


@dataclass(frozen=True, slots=True)
class Announced:
    """Erasures whose intent the journal holds, and the shares that each of them destroys."""

    rows: Sequence[Shredding]
    owned: Mapping[UUID, frozenset[UUID]]
    refs: Sequence[ShareRef]


@no_open_transaction
def destroy(*, erasure_ids: Sequence[UUID], now: datetime) -> set[UUID]:
    """Journal the intents, destroy every share, read the destruction back, mark it.

    A lost answer is unknown until read back. Returns the erasures of which a key survived: stop,
    page; all others are settled. Raises JournalUnavailable and RestoreReplayRequired (nothing
    destroyed), CustodianUnavailable (repeat).
    """
    announced = announce(erasure_ids=erasure_ids, now=now)
    return settle(announced, act(announced), now=now)


@no_open_transaction
def announce(*, erasure_ids: Sequence[UUID], now: datetime) -> Announced:
    """Journal the intents. Raises JournalUnavailable, RestoreReplayRequired."""
    failpoints.reach("vault.destroy.before-journal")
    rows = _journaled(erasure_ids, now=now)
    owned: dict[UUID, set[UUID]] = {row.erasure_id: set() for row in rows}
    refs = {}
    links = ShreddingShare.objects.filter(shredding_id__any=list(owned)).order_by("share_id")
    for erasure_id, kid, controller_id, cluster in links.values_list(
        "shredding_id", "share_id", "share__controller_id", "share__cluster"
    ):
        owned[erasure_id].add(kid)
        refs[kid] = ShareRef(kid.bytes, controller_id, cluster)
    failpoints.reach("vault.destroy.journaled")
    frozen = {erasure_id: frozenset(kids) for erasure_id, kids in owned.items()}
    return Announced(rows, frozen, list(refs.values()))


@no_open_transaction
def act(announced: Announced) -> list[DestructionReading]:
    """Destroy and read back; asks nothing of the database. Raises CustodianUnavailable."""
    custodian = runtime.custodian()
    custodian.destroy_shares(announced.refs)
    failpoints.reach("vault.destroy.destroyed")
    readings = custodian.read_destruction(announced.refs)
    failpoints.reach("vault.destroy.read-back")
    return readings


@no_open_transaction
def settle(
    announced: Announced, readings: Sequence[DestructionReading], *, now: datetime
) -> set[UUID]:
    """Move the marker and the erasures whose keys are gone; those of which a key survived."""
    alive = {UUID(bytes=r.ref.kid) for r in readings if r.state is StoreState.LIVE}
    survived = {erasure_id for erasure_id, kids in announced.owned.items() if kids & alive}
    gone = [row for row in announced.rows if row.erasure_id not in survived]
    complete = _mark(gone)
    failpoints.reach("vault.destroy.marked")
    read = [r for r in readings if UUID(bytes=r.ref.kid) not in alive]
    _settle(gone, read, announced.owned, complete, now=now)
    return survived


def _journaled(erasure_ids: Sequence[UUID], *, now: datetime) -> list[Shredding]:
    """Those whose intent the journal holds, after appending what is pending."""
    ordered = Shredding.objects.filter(
        shredding.RUNNABLE, erasure_id__any=erasure_ids, state=ShreddingState.ORDERED
    )
    if ordered.filter(journal={}).exists():
        journal.flush(now=now)
    rows = ordered.exclude(journal={}).order_by("erasure_id")
    return list(rows.only("erasure_id", "journal"))


def _mark(gone: Sequence[Shredding]) -> dict[UUID, set[int]]:
    """Move the key store's marker over the destructions that are complete with `gone`; which."""
    complete = _complete(gone)
    for journal_id, ordinals in complete.items():
        upto = journal.settled(journal_id, also=ordinals)
        if upto == journal.settled(journal_id):
            continue
        known = runtime.marker().read_marker()
        if known is None or known.journal_id != journal_id or known.ordinal < upto:
            marker = moved(known, journal_id=journal_id, ordinal=upto)
            runtime.marker().write_marker(marker)
    return complete


def _complete(gone: Sequence[Shredding]) -> dict[UUID, set[int]]:
    """Entries of the journal of which no erasure is left to destroy once `gone` are settled."""
    touched: dict[UUID, set[int]] = defaultdict(set)
    for row in gone:
        touched[UUID(row.journal["journal_id"])].add(row.journal["ordinal"])
    left = Shredding.objects.filter(state=ShreddingState.ORDERED).exclude(journal={})
    left = left.exclude(erasure_id__any=[row.erasure_id for row in gone])
    for noted in left.values_list("journal", flat=True):
        touched[UUID(noted["journal_id"])].discard(noted["ordinal"])
    return touched


def _settle(
    gone: Sequence[Shredding],
    readings: Sequence[DestructionReading],
    owned: Mapping[UUID, frozenset[UUID]],
    complete: Mapping[UUID, set[int]],
    *,
    now: datetime,
) -> None:
    with unit_of_work():
        rows = shredding.locked([row.erasure_id for row in gone], ShreddingState.ORDERED)
        settle_shares(readings, now=now)
        for journal_id, ordinals in complete.items():
            Destruction.objects.filter(journal_id=journal_id, ordinal__in=ordinals).update(
                settled_at=now
            )
        details = {row.erasure_id: {"shares": len(owned[row.erasure_id])} for row in rows}
        shredding.move(rows, ShreddingState.KEYS_DESTROYED, now=now, details=details)


@requires_unit_of_work
def settle_shares(readings: Iterable[DestructionReading], *, now: datetime) -> None:
    """Destroyed where any node says so; absent where no node ever held it."""
    readings = list(readings)
    destroyed = {UUID(bytes=r.ref.kid) for r in readings if r.state is StoreState.DESTROYED}
    absent = {UUID(bytes=r.ref.kid) for r in readings} - destroyed
    rows = KeyShare.objects.exclude(state__in=[ShareState.DESTROYED, ShareState.ABSENT])
    rows.filter(kid__any=destroyed).update(state=ShareState.DESTROYED, destroyed_at=now)
    rows.filter(kid__any=absent).update(state=ShareState.ABSENT, destroyed_at=now)
