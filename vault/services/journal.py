"""What a restore must not undo: committed with the act, then appended to the journal.

An act commits a `PendingEntry` in its own transaction. The eraser, the journal's only writer,
appends the pending entries in batches and moves the database's head. A crash between the two
leaves entries that the database itself had announced: `catch_up` recognises them. Anything else
that the journal holds beyond the database's head means that the database was restored.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from core import canonical, failpoints
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.gate import Head, Reason, judge_database
from vault.domain.journal import EntryKind, check_body
from vault.errors import RestoreReplayRequired
from vault.models import Destruction, GateLease, JournalHead, PendingEntry, Shredding
from vault.ports import JournalDraft, JournalReader, JournalReceipt

#: Most entries in one append; each batch is one fsync per volume.
BATCH = 1000
_BATCH_BYTES = 4 << 20


@requires_unit_of_work
def intend(*, kind: str, body: Mapping[str, object], now: datetime) -> None:
    """Commit to journaling an act with the transaction that makes it true.

    `body` is what the journal's format has for `kind`; nothing in it identifies anybody.
    """
    intend_many(kind=kind, bodies=[body], now=now)


@requires_unit_of_work
def intend_many(*, kind: str, bodies: Iterable[Mapping[str, object]], now: datetime) -> None:
    """As `intend` for each body, in order.

    Raises ValueError for a body that its kind does not have: pending, it would stop the journal.
    """
    bodies = list(bodies)
    for body in bodies:
        check_body(EntryKind(kind), body)
    PendingEntry.objects.bulk_create(
        (PendingEntry(kind=kind, body=dict(body), created_at=now) for body in bodies),
        batch_size=1000,
    )


def pair(
    controller_id: UUID,
    subject_id: UUID,
    purpose_id: UUID | None,
    decided_at: datetime,
    *,
    reason: str | None = None,
) -> dict[str, object]:
    """Body of an entry about one subject and purpose; None stands for every purpose."""
    body: dict[str, object] = {
        "controller_id": str(controller_id),
        "subject_id": str(subject_id),
        "decided_at": canonical.instant(decided_at),
    }
    if purpose_id is not None:
        body["purpose_id"] = str(purpose_id)
    if reason is not None:
        body["reason"] = reason
    return body


def database_head() -> Head | None:
    """The head as the database knows it; None before the first."""
    row = JournalHead.objects.order_by("-id").first()
    return None if row is None else Head(row.journal_id, row.sequence, bytes(row.hash), row.ordinal)


def compare(source: JournalReader | None = None) -> Reason:
    """How the database stands to the journal. Raises JournalUnavailable.

    `source` is left out by the journal's writer.
    """
    source = source or runtime.journal()
    head, known = journal_head(source), database_head()
    at_known = None if known is None else source.hash_at(sequence=known.sequence)
    return judge_database(journal=head, database=known, hash_at_database=at_known)


def journal_head(source: JournalReader) -> Head:
    """The journal's own head, read from its volumes. Raises JournalUnavailable."""
    receipt = source.head()
    return Head(receipt.journal_id, receipt.sequence, receipt.hash, receipt.ordinal)


@no_open_transaction
def adopt(*, now: datetime) -> None:
    """Let a database without any head take on a journal that has only its first entry."""
    if database_head() is not None:
        return
    first = runtime.journal().head()
    if first.sequence == 0 and first.ordinal == 0:
        with unit_of_work():
            move_head(first, now=now)


@no_open_transaction
def flush(*, now: datetime) -> int:
    """Append what is pending and move the database's head; how many entries.

    A repeat after a crash appends an entry twice at worst, which replays to the same end. Raises
    JournalUnavailable, and RestoreReplayRequired when the database is behind the journal: an
    entry appended then would hide what is missing.
    """
    done = 0
    adopt(now=now)
    while True:
        rows = _next_batch()
        if not rows:
            return done
        if compare() is not Reason.IN_STEP:
            if not catch_up(now=now):
                raise RestoreReplayRequired
            continue  # some of the rows were appended by whoever crashed
        receipts = runtime.journal().append_many(
            [JournalDraft(row.kind, row.body) for row in rows], now=now
        )
        failpoints.reach("vault.journal.appended")
        with unit_of_work():
            _take_over([row.id for row in rows], receipts, now=now)
        done += len(rows)


def _next_batch() -> list[PendingEntry]:
    """The oldest pending entries: a batch lies in one segment, which opening reads whole."""
    rows: list[PendingEntry] = []
    size = 0
    for row in PendingEntry.objects.order_by("id")[:BATCH]:
        size += len(canonical.encode(row.body))
        if rows and size > _BATCH_BYTES:
            break
        rows.append(row)
    return rows


@no_open_transaction
def catch_up(*, now: datetime) -> bool:
    """Take over entries beyond the database's head that it had announced itself.

    True when that brought it to the journal's head. False leaves everything as it was: then the
    database was restored and a replay is needed. Raises JournalUnavailable.
    """
    known = database_head()
    if known is None:
        return False
    entries = list(runtime.journal().entries(after=known.sequence))
    rows = list(PendingEntry.objects.order_by("id"))
    if not entries or len(entries) > len(rows):
        return False
    pairs = list(zip(entries, rows, strict=False))
    if any(_said(e.kind, e.body) != _said(row.kind, row.body) for e, row in pairs):
        return False
    receipts = [
        JournalReceipt(entry.journal_id, entry.sequence, entry.hash(), entry.ordinal)
        for entry in entries
    ]
    with unit_of_work():
        _take_over([row.id for _, row in pairs], receipts, now=now)
    return True


def _said(kind: str, body: Mapping[str, object]) -> tuple[str, bytes]:
    return str(kind), canonical.encode(body)


@requires_unit_of_work
def _take_over(
    pending: Sequence[int], receipts: Sequence[JournalReceipt], *, now: datetime
) -> None:
    """Move the head by one batch and note on destructions where they were journaled."""
    list(GateLease.objects.select_for_update())
    known = database_head()
    if known is not None and receipts[0].sequence != known.sequence + 1:
        raise RestoreReplayRequired
    by_id = {row.id: row for row in PendingEntry.objects.filter(id__in=pending)}
    for row_id, receipt in zip(pending, receipts, strict=True):
        if by_id[row_id].kind == "destruction":
            _note_destruction(by_id[row_id].body, receipt)
    PendingEntry.objects.filter(id__in=pending).delete()
    move_head(receipts[-1], now=now)


@requires_unit_of_work
def move_head(receipt: JournalReceipt, *, now: datetime) -> None:
    """Write down the journal's head as the database now knows it."""
    JournalHead.objects.create(
        journal_id=receipt.journal_id,
        sequence=receipt.sequence,
        hash=receipt.hash,
        ordinal=receipt.ordinal,
        at=now,
    )


def _note_destruction(body: Mapping[str, list[dict[str, str]]], receipt: JournalReceipt) -> None:
    Destruction.objects.create(
        journal_id=receipt.journal_id, ordinal=receipt.ordinal, sequence=receipt.sequence
    )
    erasures = [UUID(item["erasure_id"]) for item in body["items"]]
    Shredding.objects.filter(erasure_id__any=erasures).update(journal=noted(receipt))


def noted(receipt: JournalReceipt) -> dict[str, str | int]:
    """A receipt as a shredding keeps it and a certificate shows it."""
    return {
        "journal_id": str(receipt.journal_id),
        "sequence": receipt.sequence,
        "hash": receipt.hash.hex(),
        "ordinal": receipt.ordinal,
    }


def settled(journal_id: UUID, *, also: Collection[int] = ()) -> int:
    """Up to which ordinal, without a gap, the database knows destructions as settled.

    `also` counts as settled, as it will be in a moment.
    """
    rows = Destruction.objects.filter(journal_id=journal_id)
    open_ones = rows.filter(settled_at=None).exclude(ordinal__in=also)
    first_open = open_ones.order_by("ordinal").first()
    if first_open is not None:
        return first_open.ordinal - 1
    last = rows.order_by("-ordinal").values_list("ordinal", flat=True).first()
    return last or 0
