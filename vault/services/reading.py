"""Custody reads, for the person's own rights; purposes read by `vault.services.pages`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from core.unit_of_work import no_open_transaction
from vault.domain import binding
from vault.domain.envelope import NotAuthentic, open_sealed
from vault.domain.states import ShareState, SubjectState
from vault.errors import CiphertextTampered, KeyLost, SubjectErased
from vault.models import CustodyGrant, SealedRecord
from vault.ports import GrantFailure, GrantToOpen
from vault.services import custody_rows, gate, key_cache, keys, page_opening
from vault.services.custody_rows import CustodyRow


@dataclass(frozen=True, slots=True)
class OpenRecord:
    """One version of a record, opened in custody."""

    record_id: UUID
    category_id: UUID
    version: int
    document: bytes
    created_at: datetime


@no_open_transaction
def custody_read(
    *,
    controller_id: UUID,
    subject_id: UUID,
    category_ids: Sequence[UUID] | None = None,
    source_id: UUID | None = None,
) -> list[OpenRecord]:
    """The subject's current records, opened through custody; of one source when it is named.

    The caller audits why. Raises RestoreReplayRequired, SubjectNotFound, SubjectErased,
    CustodianUnavailable, KeyLost.
    """
    rows = custody_rows.select(
        controller_id=controller_id,
        subject_id=subject_id,
        category_ids=category_ids,
        source_id=source_id,
    )
    wanted = {row.data_key_id: row.grant for row in rows if row.grant is not None}
    opened = dict(zip(wanted, key_cache.open_grants(list(wanted.values())), strict=True))
    return [_open_record(controller_id, row, opened.get(row.data_key_id)) for row in rows]


@no_open_transaction
def versions(*, controller_id: UUID, record_id: UUID) -> list[OpenRecord]:
    """All versions of a record, oldest first; empty when it does not exist or is not yours.

    Raises SubjectErased, CustodianUnavailable, KeyLost.
    """
    gate.require_open()
    of_record = SealedRecord.objects.filter(
        record_id=record_id, subject__controller_id=controller_id
    )
    states = of_record.values_list("subject__state", flat=True)
    if any(state != SubjectState.LIVE for state in states):
        raise SubjectErased
    # Without what a re-key keeps beside the living rows, and what an expiry is about to sweep.
    living = of_record.filter(data_key__share__state__in=[ShareState.LIVE, ShareState.LOST])
    return _open_custody(controller_id, living.order_by("version"))


def _open_custody(controller_id: UUID, living: QuerySet[SealedRecord]) -> list[OpenRecord]:
    """Open the rows; read them again when a re-key has put others in their place meanwhile."""
    for _ in range(keys.ROUNDS):
        rows = list(living.select_related("data_key__share").all())
        opened = _custody_keys(rows)
        if all(row.data_key_id in opened for row in rows):
            return [_open_record(controller_id, row, opened[row.data_key_id]) for row in rows]
        if any(row.data_key.share.state == ShareState.LOST for row in rows):
            raise KeyLost
    raise SubjectErased


def _custody_keys(rows: Sequence[SealedRecord]) -> dict[UUID, bytes | GrantFailure]:
    grants = list(
        CustodyGrant.objects.select_related("data_key__share").filter(
            data_key__in={row.data_key_id for row in rows},
            data_key__share__state=ShareState.LIVE,
            subject__state="live",
        )
    )
    answers = key_cache.open_grants(
        [
            GrantToOpen(keys.share_ref(grant.data_key.share), keys.CUSTODY, bytes(grant.wrapped))
            for grant in grants
        ]
    )
    return {grant.data_key_id: answer for grant, answer in zip(grants, answers, strict=True)}


def _open_record(
    controller_id: UUID, row: SealedRecord | CustodyRow, key: bytes | GrantFailure | None
) -> OpenRecord:
    if key is None or key is GrantFailure.SHARE_DESTROYED:
        raise SubjectErased
    if isinstance(key, GrantFailure):
        raise page_opening.refusal(key)
    bound = binding.record_binding(
        controller=controller_id,
        subject=row.subject_id,
        category=row.category_id,
        data_key=row.data_key_id,
        record=row.record_id,
        version=row.version,
    )
    try:
        document = open_sealed(key=key, binding=bound, sealed=bytes(row.ciphertext))
    except NotAuthentic as error:
        raise CiphertextTampered from error
    return OpenRecord(row.record_id, row.category_id, row.version, document, row.created_at)
