"""A new journal in the place of one that is gone for good, from what both stores still know.

Two named operators answer for it. Backups older than it are barred: what was erased or withdrawn
since they were taken stood in the journal that is gone, and nothing could put it right again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from core import audit, canonical, failpoints
from core.actors import Actor
from core.errors import Conflict, InvalidInput
from core.unit_of_work import no_open_transaction, unit_of_work
from vault import runtime
from vault.domain.gate import Head, Marker, moved
from vault.domain.states import ShareState, ShreddingState
from vault.errors import KeyStillAlive
from vault.models import JournalHead, KeyShare, Shredding
from vault.ports import JournalReceipt
from vault.ports import ShareState as StoreState
from vault.services import destructions, gatekeeper, journal, keys

_BATCH = 500


class TwoOperatorsNeeded(InvalidInput):
    """One person must not be able to do this alone."""

    code = "two-operators-needed"
    text = "Name two different persons with the role operator."


class NothingToRefound(Conflict):
    """The database knows no journal: a new installation founds one."""

    code = "nothing-to-refound"
    text = "This database knows no journal; use `manage.py found_journal`."


class LossNotAccepted(Conflict):
    """The key store remembers destructions of which this database knows nothing."""

    code = "loss-not-accepted"
    text = (
        "The database was restored, too: it knows fewer destructions than the key store. What was "
        "withdrawn, restricted or held since the backup is lost with the journal; collect it "
        "from the sources, then run this again with --accept-loss."
    )


@dataclass(frozen=True, slots=True)
class Genesis:
    """What the first entry of the new journal says."""

    ordinal: int
    body: dict[str, Any]


@no_open_transaction
def plan(
    *, operators: Sequence[Actor], accept_loss: bool, begun: UUID | None = None, now: datetime
) -> Genesis:
    """The genesis from both heads; nothing is changed.

    `begun` is the journal that an interrupted run has founded, which the marker may name already.

    Raises TwoOperatorsNeeded, NothingToRefound, LossNotAccepted, CustodianUnavailable.
    """
    persons = {operator.person_id for operator in operators}
    if len(persons) != len(operators) or len(persons) != 2 or None in persons:  # noqa: PLR2004
        raise TwoOperatorsNeeded
    known = journal.database_head()
    if known is None:
        raise NothingToRefound
    marker = runtime.marker().read_marker()
    remembered = 0 if marker is None or _is_older(marker, known) else marker.ordinal
    is_ours = marker is not None and marker.journal_id == begun
    if marker is not None and not is_ours and not accept_loss and _is_ahead(marker, known):
        raise LossNotAccepted
    body = {
        "previous": {
            "journal_id": str(known.journal_id),
            "sequence": known.sequence,
            "hash": known.hash.hex(),
        },
        "operators": [operator.id for operator in operators],
        "barred_before": canonical.instant(now),
    }
    return Genesis(max(remembered, known.ordinal), body)


def _is_older(marker: Marker, known: Head) -> bool:
    """Whether the key store last followed a journal that this database has left since."""
    left = JournalHead.objects.filter(journal_id=marker.journal_id).exists()
    return marker.journal_id != known.journal_id and left


def _is_ahead(marker: Marker, known: Head) -> bool:
    """Whether the key store has seen more than this database, or a journal that came after it."""
    if marker.journal_id == known.journal_id:
        return marker.ordinal > known.ordinal
    return not _is_older(marker, known)


def is_continuation(genesis: dict[str, Any], known: Head | None) -> bool:
    """Whether a journal with this first entry was begun for this database, and not yet taken on."""
    previous = genesis.get("previous", {})
    return known is not None and previous.get("hash") == known.hash.hex()


@no_open_transaction
def adopt(*, first: JournalReceipt, operators: Sequence[Actor], now: datetime) -> int:
    """Take the new journal on; how many key shares had to be destroyed again.

    Shares that this database knows as destroyed are read back before anything else, and
    destructions that were under way are announced anew. May be repeated. Raises
    CustodianUnavailable, KeyStillAlive.
    """
    again = _destroy_known()
    known = runtime.marker().read_marker()
    marker = moved(known, journal_id=first.journal_id, ordinal=first.ordinal)
    runtime.marker().write_marker(marker)
    failpoints.reach("vault.refound.marked")
    with unit_of_work():
        journal.move_head(first, now=now)
        under_way = Shredding.objects.select_for_update().filter(state=ShreddingState.ORDERED)
        rows = list(under_way.exclude(journal={}).order_by("erasure_id"))
        Shredding.objects.filter(erasure_id__in=[row.erasure_id for row in rows]).update(journal={})
        destructions.intend(rows, now=now)
        audit.record(
            action="vault.journal.refounded",
            actor=gatekeeper.ERASER,
            controller_id=None,
            now=now,
            details={
                "journal": str(first.journal_id),
                "operators": [operator.id for operator in operators],
                "under_way": len(rows),
                "destroyed_again": again,
            },
        )
    return again


def _destroy_known() -> int:
    rows = KeyShare.objects.filter(state=ShareState.DESTROYED).order_by("kid")
    count, last = 0, UUID(int=0)
    custodian = runtime.custodian()
    while batch := list(rows.filter(kid__gt=last)[:_BATCH]):
        last = batch[-1].kid
        readings = custodian.read_destruction([keys.share_ref(row) for row in batch])
        alive = list({r.ref: None for r in readings if r.state is StoreState.LIVE})
        if not alive:
            continue
        custodian.destroy_shares(alive)
        if any(r.state is StoreState.LIVE for r in custodian.read_destruction(alive)):
            raise KeyStillAlive
        count += len(alive)
    return count
