"""Signed heads: each sealed batch is published, in order, by the key of the log's process."""

from collections.abc import Sequence
from datetime import datetime

from contracts.domain import checkpoint
from contracts.domain.checkpoint import Head
from contracts.errors import NotLogged
from contracts.models import LogBatch, LogCheckpoint
from contracts.services import generations
from core import failpoints, runtime, signing_keys
from core.ports import Signature, Signer, VerifyingKey
from core.unit_of_work import no_open_transaction, unit_of_work


@no_open_transaction
def publish(*, now: datetime) -> list[LogCheckpoint]:
    """Sign the head of every batch that has none, oldest first.

    The caller has kept the newest head outside the database (`keeping`). The signature is Ed25519,
    so a repeated one is the same. Raises Unavailable (the signer; repeat), SigningKeyChanged.
    """
    batches = list(LogBatch.objects.filter(logcheckpoint=None).order_by("sequence"))
    if not batches:
        return []
    signer: Signer = runtime.port("signer")
    keys = signer.verifying_keys()
    origin = generations.current().origin
    made = [_signed(batch, origin, signer, keys, now=now) for batch in batches]
    failpoints.reach("contracts.log.signed")
    with unit_of_work():
        signing_keys.archive(keys, now=now)
        LogCheckpoint.objects.bulk_create(made, ignore_conflicts=True)
    failpoints.reach("contracts.log.published")
    return made


def latest(*, number: int | None = None) -> LogCheckpoint:
    """The newest head that is published, of any generation or of this one.

    Raises NotLogged while there is none.
    """
    rows = LogCheckpoint.objects.select_related("batch").order_by("-batch_id")
    if number is not None:
        generation = generations.find(number)
        rows = rows.filter(origin="" if generation is None else generation.origin)
    found = rows.first()
    if found is None:
        raise NotLogged
    return found


def head_of(batch: LogBatch, *, origin: str) -> Head:
    """What its checkpoint says."""
    return Head(origin, batch.size, bytes(batch.root))


def _signed(
    batch: LogBatch, origin: str, signer: Signer, keys: Sequence[VerifyingKey], *, now: datetime
) -> LogCheckpoint:
    checkpoint.check_origin(origin)
    text = head_of(batch, origin=origin).text()
    signature = signer.sign(text.encode())
    line = checkpoint.signature_line(origin, _public(signature, keys), signature.value)
    return LogCheckpoint(
        batch=batch,
        origin=origin,
        note=checkpoint.note(text, [line]),
        key_id=signature.key_id,
        signed_at=now,
    )


def _public(signature: Signature, keys: Sequence[VerifyingKey]) -> bytes:
    return next(key.public for key in keys if key.key_id == signature.key_id)
