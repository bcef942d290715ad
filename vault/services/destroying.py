"""The erasure machine from ORDERED to KEYS_DESTROYED: journal, destroy, read back, settle.

Nothing is destroyed before the journal holds the intent. The key store's own marker is moved
before the database settles, so that a database ahead of the marker always means a key store
that was put back.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from core import failpoints
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.gate import Marker
from vault.domain.states import ShareState, ShreddingState
from vault.models import Destruction, KeyShare, Shredding, ShreddingShare
from vault.ports import DestructionReading
from vault.ports import ShareState as StoreState
from vault.services import journal, keys, shredding


@no_open_transaction
def destroy(*, erasure_ids: Sequence[UUID], now: datetime) -> set[UUID]:
    """Journal the intents, destroy every share, read the destruction back, mark it.

    A lost answer is unknown until read back. Returns the erasures of which a key survived: stop,
    page; all others are settled. Raises JournalUnavailable and RestoreReplayRequired (nothing
    destroyed), CustodianUnavailable (repeat).
    """
    failpoints.reach("vault.destroy.before-journal")
    rows = _journaled(erasure_ids, now=now)
    shares = _shares(rows)
    refs = [keys.share_ref(share) for share in shares.values()]
    custodian = runtime.custodian()
    failpoints.reach("vault.destroy.journaled")
    custodian.destroy_shares(refs)
    failpoints.reach("vault.destroy.destroyed")
    readings = custodian.read_destruction(refs)
    failpoints.reach("vault.destroy.read-back")
    alive = {UUID(bytes=r.ref.kid) for r in readings if r.state is StoreState.LIVE}
    of = _owners(rows)
    survived = {erasure_id for erasure_id, kids in of.items() if kids & alive}
    gone = [row for row in rows if row.erasure_id not in survived]
    _mark(gone)
    failpoints.reach("vault.destroy.marked")
    _settle(gone, [r for r in readings if UUID(bytes=r.ref.kid) not in alive], now=now)
    return survived


def _journaled(erasure_ids: Sequence[UUID], *, now: datetime) -> list[Shredding]:
    """Those whose intent the journal holds, after appending what is pending."""
    ordered = Shredding.objects.filter(
        shredding.RUNNABLE, erasure_id__in=erasure_ids, state=ShreddingState.ORDERED
    )
    if ordered.filter(journal={}).exists():
        journal.flush(now=now)
    return list(ordered.exclude(journal={}).order_by("erasure_id"))


def _shares(rows: Iterable[Shredding]) -> dict[UUID, KeyShare]:
    found = KeyShare.objects.filter(shreddingshare__shredding__in=[r.erasure_id for r in rows])
    return {share.kid: share for share in found.order_by("kid")}


def _owners(rows: Iterable[Shredding]) -> dict[UUID, set[UUID]]:
    owned: dict[UUID, set[UUID]] = defaultdict(set)
    links = ShreddingShare.objects.filter(shredding__in=[row.erasure_id for row in rows])
    for erasure_id, kid in links.values_list("shredding_id", "share_id"):
        owned[erasure_id].add(kid)
    return owned


def _mark(gone: Sequence[Shredding]) -> None:
    """Move the key store's marker over the destructions that are complete with `gone`."""
    for journal_id, ordinals in _complete(gone).items():
        upto = journal.settled(journal_id, also=ordinals)
        if upto == journal.settled(journal_id):
            continue
        known = runtime.marker().read_marker()
        if known is None or known.journal_id != journal_id or known.ordinal < upto:
            runtime.marker().write_marker(Marker(journal_id, upto))


def _complete(gone: Sequence[Shredding]) -> dict[UUID, set[int]]:
    """Entries of the journal of which no erasure is left to destroy once `gone` are settled."""
    touched: dict[UUID, set[int]] = defaultdict(set)
    for row in gone:
        touched[UUID(row.journal["journal_id"])].add(row.journal["ordinal"])
    left = Shredding.objects.filter(state=ShreddingState.ORDERED).exclude(journal={})
    for noted in left.exclude(erasure_id__in=[row.erasure_id for row in gone]).values_list(
        "journal", flat=True
    ):
        touched[UUID(noted["journal_id"])].discard(noted["ordinal"])
    return touched


def _settle(
    gone: Sequence[Shredding], readings: Sequence[DestructionReading], *, now: datetime
) -> None:
    with unit_of_work():
        rows = shredding.locked([row.erasure_id for row in gone], ShreddingState.ORDERED)
        settle_shares(readings, now=now)
        for journal_id, ordinals in _complete(rows).items():
            Destruction.objects.filter(journal_id=journal_id, ordinal__in=ordinals).update(
                settled_at=now
            )
        owned = _owners(rows)
        details = {row.erasure_id: {"shares": len(owned[row.erasure_id])} for row in rows}
        shredding.move(rows, ShreddingState.KEYS_DESTROYED, now=now, details=details)


@requires_unit_of_work
def settle_shares(readings: Iterable[DestructionReading], *, now: datetime) -> None:
    """Destroyed where any node says so; absent where no node ever held it."""
    readings = list(readings)
    destroyed = {UUID(bytes=r.ref.kid) for r in readings if r.state is StoreState.DESTROYED}
    absent = {UUID(bytes=r.ref.kid) for r in readings} - destroyed
    rows = KeyShare.objects.exclude(state__in=[ShareState.DESTROYED, ShareState.ABSENT])
    rows.filter(kid__in=destroyed).update(state=ShareState.DESTROYED, destroyed_at=now)
    rows.filter(kid__in=absent).update(state=ShareState.ABSENT, destroyed_at=now)
