"""The replay: bring stores that were restored back to what the journal says they must not forget.

Run by the eraser (`apply`) and then by the attester (`verify`), while the gate is closed. It may
be interrupted anywhere and run again: it ends by moving the database's head and the key store's
marker to the journal's head, and only then is it done.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from uuid import UUID

from core import audit, failpoints, ids
from core.actors import Actor, process_actor
from core.errors import Conflict
from core.unit_of_work import no_open_transaction, unit_of_work
from vault import runtime
from vault.domain.gate import WORDS, Head, Marker, Reason, moved
from vault.domain.journal import Entry
from vault.domain.states import ShreddingState
from vault.errors import KeyStillAlive
from vault.models import Destruction, Replay, Shredding
from vault.ports import JournalReceipt, ShareRef
from vault.ports import ShareState as StoreState
from vault.services import (
    destroying,
    gate,
    gatekeeper,
    journal,
    losing,
    orphans,
    replay_entries,
    sweeping,
)

ERASER, ATTESTER = process_actor("eraser"), process_actor("attester")
_BATCH = 500
#: What a replay mends; every other reason is about the journal itself.
_MENDABLE = frozenset(
    {
        Reason.IN_STEP,
        Reason.DATABASE_BEHIND,
        Reason.KEY_STORE_BEHIND,
        Reason.MARKER_ABSENT,
    }
)


class ReplayImpossible(Conflict):
    """The journal at hand is not the one that these stores need."""

    code = "replay-impossible"


class NothingToReplay(Conflict):
    """Journal, database and key store agree already."""

    code = "nothing-to-replay"
    text = "Journal, database and key store agree; there is nothing to replay."


@no_open_transaction
def apply(*, now: datetime, accepted_by: Actor | None = None) -> Replay:
    """Apply every entry above each store's own head, and find what is lost; as the eraser.

    Raises ReplayImpossible (with the words of the gate's reason), NothingToReplay,
    JournalUnavailable, CustodianUnavailable (repeat), KeyStillAlive (stop, page), and
    LossNotAccepted unless `accepted_by` answers for the loss: the gate stays closed then.
    """
    source = runtime.journal_reader()
    head = journal.journal_head(source)
    marker = runtime.marker().read_marker()
    replay = _begin(head, marker, now=now)
    counts = _apply_entries(replay, now=now)
    failpoints.reach("vault.replay.entries-applied")
    counts["keys"] = _destroy_again(replay, head)
    failpoints.reach("vault.replay.keys-destroyed")
    counts["erasures"] = _finish_erasures(now=now)
    found = losing.find(now=now, accepted_by=accepted_by)
    counts["lost"], counts["found"] = found.lost, found.again
    counts["versions"] = found.versions
    failpoints.reach("vault.replay.lost-found")
    now_there = moved(marker, journal_id=head.journal_id, ordinal=head.ordinal, beat=gate.beat())
    runtime.marker().write_marker(now_there)
    failpoints.reach("vault.replay.marked")
    _end(replay, head, counts, now=now)
    return replay


def _begin(head: Head, marker: Marker | None, *, now: datetime) -> Replay:
    reason = journal.compare(runtime.journal_reader())
    of_store = gatekeeper.judge_key_store(head, marker)
    for wrong in (reason, of_store):
        if wrong not in _MENDABLE:
            raise ReplayImpossible(WORDS[wrong], reason=wrong.value)
    unfinished = Replay.objects.filter(applied_at=None, journal_id=head.journal_id).first()
    if unfinished is not None:
        return unfinished
    if reason is of_store is Reason.IN_STEP:
        raise NothingToReplay
    known = journal.database_head()
    with unit_of_work():
        return Replay.objects.create(
            id=ids.new_time_ordered(),
            journal_id=head.journal_id,
            after_sequence=-1 if known is None else known.sequence,
            # What either store has forgotten is destroyed again, and read back.
            after_ordinal=min(
                0 if marker is None else marker.ordinal, 0 if known is None else known.ordinal
            ),
            to_sequence=head.sequence,
            started_at=now,
        )


def _apply_entries(replay: Replay, *, now: datetime) -> Counter[str]:
    counts: Counter[str] = Counter()
    for entry in runtime.journal_reader().entries(after=replay.after_sequence):
        with unit_of_work():
            replay_entries.apply(entry, now=now)
        counts[entry.kind.value] += 1
        failpoints.reach("vault.replay.entry-applied")
    return counts


def destroyed_shares(*, after_ordinal: int) -> Iterator[ShareRef]:
    """Every share that the journal says is destroyed, by entries above `after_ordinal`."""
    for entry in runtime.journal_reader().destructions(after_ordinal=after_ordinal):
        yield from _refs(entry)


def _refs(entry: Entry) -> Iterator[ShareRef]:
    controller_id, cluster = UUID(entry.body["controller_id"]), entry.body["cluster"]
    for item in entry.body["items"]:
        for kid in item["kids"]:
            yield ShareRef(bytes.fromhex(kid), controller_id, cluster)


def _destroy_again(replay: Replay, head: Head) -> int:
    """Destroy in the key store what it has forgotten; shares that the database lost included."""
    if replay.after_ordinal >= head.ordinal:
        return 0
    count = 0
    custodian = runtime.custodian()
    for batch in _batches(destroyed_shares(after_ordinal=replay.after_ordinal)):
        custodian.destroy_shares(batch)
        readings = custodian.read_destruction(batch)
        if any(reading.state is StoreState.LIVE for reading in readings):
            raise KeyStillAlive
        count += len(batch)
    return count


def _batches(refs: Iterator[ShareRef]) -> Iterator[Sequence[ShareRef]]:
    while batch := list(islice(refs, _BATCH)):
        yield batch


def _finish_erasures(*, now: datetime) -> int:
    """Carry every journaled erasure to SWEPT; how many."""
    waiting = Shredding.objects.filter(
        state__in=[ShreddingState.ORDERED, ShreddingState.KEYS_DESTROYED]
    ).exclude(journal={})
    erasure_ids = list(waiting.order_by("fenced_at").values_list("erasure_id", flat=True))
    for start in range(0, len(erasure_ids), _BATCH):
        batch = erasure_ids[start : start + _BATCH]
        for survivor in destroying.destroy(erasure_ids=batch, now=now):
            raise KeyStillAlive(erasure_id=str(survivor))
        sweeping.sweep(erasure_ids=batch, now=now)
    return len(erasure_ids)


def _end(replay: Replay, head: Head, counts: Counter[str], *, now: datetime) -> None:
    with unit_of_work():
        Destruction.objects.filter(
            journal_id=head.journal_id, ordinal__lte=head.ordinal, settled_at=None
        ).update(settled_at=now)
        counts["held"] = gatekeeper.hold_unjournaled(now=now)
        known = journal.database_head()
        if known is None or known.sequence < head.sequence:
            journal.move_head(
                JournalReceipt(head.journal_id, head.sequence, head.hash, head.ordinal), now=now
            )
        replay.counts, replay.to_sequence, replay.applied_at = dict(counts), head.sequence, now
        replay.save(update_fields=["counts", "to_sequence", "applied_at"])
        orphans.look_for(after=str(replay.id), now=now)
        _record("applied", replay, actor=ERASER, now=now)


@no_open_transaction
def verify(*, now: datetime) -> int:
    """Read back that nothing the journal destroyed lives; as the attester. How many were read.

    Raises NothingToReplay, KeyStillAlive, CustodianUnavailable.
    """
    replays = list(Replay.objects.filter(verified_at=None).exclude(applied_at=None))
    if not replays:
        raise NothingToReplay
    after = min(replay.after_ordinal for replay in replays)
    count = 0
    for batch in _batches(destroyed_shares(after_ordinal=after)):
        readings = runtime.custodian().read_destruction(batch)
        read = {reading.ref for reading in readings}
        if any(r.state is StoreState.LIVE for r in readings) or read != set(batch):
            raise KeyStillAlive
        count += len(batch)
    failpoints.reach("vault.replay.read-back")
    with unit_of_work():
        for replay in replays:
            replay.verified_at = now
            replay.save(update_fields=["verified_at"])
            _record("verified", replay, actor=ATTESTER, now=now)
    return count


def _record(step: str, replay: Replay, *, actor: Actor, now: datetime) -> None:
    audit.record(
        action=f"vault.replay.{step}",
        actor=actor,
        controller_id=None,
        now=now,
        details={
            "replay": str(replay.id),
            **{name.replace("-", "_"): count for name, count in replay.counts.items()},
        },
    )
