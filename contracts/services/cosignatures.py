"""Cosignatures as they are kept beside a head, and served with it."""

from collections.abc import Collection
from datetime import datetime

from contracts.domain.cosignature import Cosignature
from contracts.domain.policy import MOST_WITNESSES, Witness
from contracts.models import LogCheckpoint, LogCosignature
from core.unit_of_work import requires_unit_of_work


@requires_unit_of_work
def keep(head: LogCheckpoint, witness: Witness, cosignature: Cosignature, *, now: datetime) -> None:
    """Keep a verified one; of a witness's key and a head the first stays."""
    row = LogCosignature(
        checkpoint=head,
        name=witness.name,
        key_id=witness.key_id.hex(),
        line=cosignature.line,
        cosigned_at=cosignature.at,
        obtained_at=now,
    )
    LogCosignature.objects.bulk_create([row], ignore_conflicts=True)


def over(head: LogCheckpoint, witnesses: Collection[Witness]) -> set[str]:
    """The labels of those of `witnesses` whose key has cosigned this head."""
    rows = LogCosignature.objects.filter(checkpoint=head).values_list("name", "key_id")
    there = set(rows)
    return {one.label for one in witnesses if (one.name, one.key_id.hex()) in there}


def last_size(witness: Witness, *, origin: str) -> int:
    """Of the largest head of this origin that this key has cosigned, as far as we know; else 0."""
    rows = LogCosignature.objects.filter(
        checkpoint__origin=origin, name=witness.name, key_id=witness.key_id.hex()
    )
    rows = rows.order_by("-checkpoint_id").select_related("checkpoint__batch")
    row = rows.first()
    return 0 if row is None else row.checkpoint.batch.size


def note_of(head: LogCheckpoint) -> str:
    """The signed note with the cosignatures that there are, behind the log's own signature.

    As many as every verifier of notes accepts.
    """
    rows = LogCosignature.objects.filter(checkpoint=head).order_by("name", "key_id")
    lines = rows.values_list("line", flat=True)[:MOST_WITNESSES]
    return head.note + "".join(lines)
