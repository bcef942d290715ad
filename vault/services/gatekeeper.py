"""The eraser's round: compare journal, database and key store, renew or close the gate.

Runs every LETHE_GATE_EVERY seconds in the one process that may write the journal. It opens the
gate only when all three tell the same history, and closes it at once when they do not. When the
key store cannot be asked, nothing is known to be wrong: the lease runs on until it ends.
"""

from dataclasses import replace
from datetime import datetime

from django.conf import settings

from core import audit
from core.actors import process_actor
from core.errors import Unavailable
from core.logging import get_logger
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.gate import Head, Marker, Reason
from vault.domain.gate import judge_key_store as judge
from vault.domain.states import ShreddingState
from vault.errors import JournalLocked, JournalUnavailable
from vault.models import PendingEntry, Replay, Shredding
from vault.services import gate, journal, orphans

logger = get_logger(__name__)
ERASER = process_actor("eraser")
#: States from which a destruction would still begin.
_TO_COME = (ShreddingState.FENCED, ShreddingState.DRAINED, ShreddingState.ORDERED)


@no_open_transaction
def tend(*, now: datetime) -> Reason | None:
    """One round; the gate's reason, or None when it could not be judged and stays as it was."""
    server = gate.identity()
    _hold_if_restored(server, now=now)
    try:
        reason = _judge(now=now)
    except JournalLocked:
        return None  # another process is the writer, and the gatekeeper
    except JournalUnavailable:
        reason = Reason.JOURNAL_UNAVAILABLE
    except Unavailable as error:
        gate.note_trouble(error.code)
        return None
    before = gate.state()
    with unit_of_work():
        gate.write(reason, server=server, now=now)
    if before.is_open != (reason is Reason.IN_STEP) or before.reason != reason:
        _say(reason)
    if reason is Reason.IN_STEP:
        _beat(now=now)
        _append(now=now)
    return reason


def _beat(*, now: datetime) -> None:
    """Count one up, in the key store first: a store that counts less was put back."""
    last = gate.beaten_at()
    if last is not None and abs(now - last) < settings.LETHE_BEAT_EVERY:
        return
    try:
        marker = runtime.marker().read_marker()
        if marker is not None and marker.beat >= gate.beat():  # else the next round closes
            beat = marker.beat + 1
            runtime.marker().write_marker(replace(marker, beat=beat))
            gate.note_beat(beat, now=now)
    except Unavailable as error:
        gate.note_trouble(error.code)


def _append(*, now: datetime) -> None:
    """Take what was announced into the journal; a full volume closes nothing, and is said."""
    try:
        journal.flush(now=now)
    except JournalUnavailable as error:
        logger.critical("journal.not_appended", code=error.code)
        gate.note_trouble(error.code)


def _judge(*, now: datetime) -> Reason:
    journal.adopt(now=now)
    reason = journal.compare()
    if reason is Reason.DATABASE_BEHIND and journal.catch_up(now=now):
        reason = journal.compare()
    if reason is not Reason.IN_STEP:
        return reason
    head = journal.journal_head(runtime.journal())
    marker = runtime.marker().read_marker()
    if marker is None and head.ordinal == 0:
        marker = Marker(head.journal_id, 0)
        runtime.marker().write_marker(marker)
    reason = judge_key_store(head, marker)
    if reason is Reason.IN_STEP and Replay.objects.filter(verified_at=None).exists():
        return Reason.REPLAY_UNVERIFIED
    return reason


def judge_key_store(head: Head, marker: Marker | None) -> Reason:
    """How the key store stands to the journal and to what this database knows."""
    settled = journal.settled(head.journal_id)
    return judge(journal=head, marker=marker, settled=settled, beat=gate.beat())


def _hold_if_restored(server: gate.Identity, *, now: datetime) -> None:
    """Hold destructions that a restored database brought back: they may have been called off.

    A restart changes the postmaster's start only; a restore or a promotion changes the system
    identifier, the timeline or the table.
    """
    known = gate.known_identity()
    if known is None or _place(known) == _place(server):
        return
    with unit_of_work():
        gate.write(Reason.SERVER_CHANGED, server=server, now=now)
        held = hold_unjournaled(now=now)
        orphans.look_for(after="-".join(map(str, _place(server))), now=now)
        audit.record(
            action="vault.gate.server-changed",
            actor=ERASER,
            controller_id=None,
            now=now,
            details={"held": held},
        )
    logger.critical("gate.server_changed", count=held)


def _place(server: gate.Identity) -> tuple[int, int, int]:
    return server.system_identifier, server.timeline, server.table_oid


@requires_unit_of_work
def hold_unjournaled(*, now: datetime) -> int:
    """Stop destructions that the journal does not know until an officer releases them.

    How many were held.
    """
    rows = Shredding.objects.filter(state__in=_TO_COME, journal={}, held_at=None)
    # An announcement that came back with the backup would be appended by the next round.
    PendingEntry.objects.filter(kind="destruction").delete()
    return rows.update(held_at=now, released_at=None, released_by="")


def _say(reason: Reason) -> None:
    log = logger.info if reason is Reason.IN_STEP else logger.critical
    log("gate.changed", code=reason.value)
