"""What the erasure machine writes to the journal before it acts, and the head it then knows."""

from collections.abc import Sequence
from datetime import datetime

from core import failpoints
from core.unit_of_work import no_open_transaction, unit_of_work
from vault import runtime
from vault.models import JournalHead, KeyShare, LookupTag, Shredding
from vault.ports import JournalReceipt

#: Most kids in one entry (design §5).
ENTRY_KIDS = 1000


@no_open_transaction
def destruction(*, shredding: Shredding, shares: Sequence[KeyShare], now: datetime) -> None:
    """Write the intent to destroy `shares` durably, then note the receipt on the shredding.

    A crash between the two writes the entry twice, which replays to the same end. Raises
    JournalUnavailable.
    """
    suppression = [
        bytes(tag).hex()
        for tag in LookupTag.objects.filter(subject=shredding.subject).values_list(
            "suppression", flat=True
        )
    ]
    receipts = [
        runtime.journal().append(
            kind="destruction",
            body={
                "controller_id": str(shredding.controller_id),
                "erasure_id": str(shredding.erasure_id),
                "kids": [share.kid.hex for share in shares[start : start + ENTRY_KIDS]],
                "tags": sorted(suppression) if start == 0 else [],
            },
            now=now,
        )
        for start in range(0, len(shares), ENTRY_KIDS)
    ]
    failpoints.reach("vault.journal.appended")
    with unit_of_work():
        _note(receipts, now=now)
        last = receipts[-1]
        shredding.journal = {
            "journal_id": str(last.journal_id),
            "sequence": last.sequence,
            "hash": last.hash.hex(),
        }
        Shredding.objects.filter(erasure_id=shredding.erasure_id).update(journal=shredding.journal)


def _note(receipts: Sequence[JournalReceipt], *, now: datetime) -> None:
    JournalHead.objects.bulk_create(
        (
            JournalHead(
                journal_id=receipt.journal_id,
                sequence=receipt.sequence,
                hash=receipt.hash,
                at=now,
            )
            for receipt in receipts
        ),
        ignore_conflicts=True,
    )
