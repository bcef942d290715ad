"""Data keys of a re-key: those of the new share, and the purposes' grants wrapped anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

from core import failpoints, ids
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from vault import runtime
from vault.domain.envelope import new_key
from vault.domain.states import ShareState
from vault.errors import KeyLost
from vault.models import CustodyGrant, DataKey, KeyGrant, KeyShare, PurposeKey, Rekey
from vault.ports import GrantFailure, GrantToMake, GrantToOpen
from vault.services import gate, key_cache, keys
from vault.services.creating import EVIDENCE_CATEGORY
from vault.services.grants import lock_subject
from vault.services.resealing import KeyPair

_REPLACE: Final = """
INSERT INTO vault_keygrant (data_key_id, purpose_id, subject_id, category_id, alias_id, share_id,
  ground, counter, wrapped)
SELECT w.data_key, g.purpose_id, g.subject_id, g.category_id, g.alias_id, w.share, g.ground,
  g.counter, w.wrapped
FROM unnest(%s::bigint[], %s::uuid[], %s::uuid[], %s::bytea[]) AS w (id, data_key, share, wrapped)
JOIN vault_keygrant g ON g.id = w.id
JOIN vault_alias a ON a.id = g.alias_id AND a.ground = g.ground AND a.counter = g.counter"""


@dataclass(frozen=True, slots=True)
class _Held:
    """A data key of one category, opened."""

    id: UUID
    category_id: UUID
    key: bytes


@no_open_transaction
def pairs(row: Rekey, *, now: datetime) -> list[KeyPair] | None:
    """Open every data key of the old share, and the one of the new share that takes its place.

    Creates those of the new share that do not exist yet. The evidence key of the subject stays
    the same key, wrapped anew: its public half has sealed what cannot be sealed again. None when
    the key store has lost the new share. Raises CustodianUnavailable, KeyLost, CustodianRefused.
    """
    old = {held.category_id: held for held in _opened(row.old_share)}
    known = set(DataKey.objects.filter(share=row.new_share).values_list("category_id", flat=True))
    fresh = {
        category: held.key if category == EVIDENCE_CATEGORY else new_key()
        for category, held in old.items()
        if category not in known
    }
    try:
        _add(row, fresh, now=now)
        new = {held.category_id: held for held in _opened(row.new_share)}
    except KeyLost:
        return None
    return [
        KeyPair(held.id, new[category].id, held.key, new[category].key)
        for category, held in sorted(old.items())
        if category in new
    ]


def _opened(share: KeyShare) -> list[_Held]:
    held = list(CustodyGrant.objects.select_related("data_key").filter(data_key__share=share))
    ref = keys.share_ref(share)
    answers = key_cache.open_grants(
        [GrantToOpen(ref, keys.CUSTODY, bytes(grant.wrapped)) for grant in held]
    )
    opened = []
    for grant, key in zip(held, answers, strict=True):
        if isinstance(key, GrantFailure):
            raise keys.failure(key)
        opened.append(_Held(grant.data_key_id, grant.data_key.category_id, key))
    return opened


def _add(row: Rekey, fresh: Mapping[UUID, bytes], *, now: datetime) -> None:
    """Wrap new data keys for custody and store those that nobody stored first."""
    if not fresh:
        return
    ref = keys.share_ref(row.new_share)
    made = runtime.custodian().make_grants(
        [GrantToMake(ref, keys.CUSTODY, key) for key in fresh.values()]
    )
    failpoints.reach("vault.rekey.keys-made")
    wrapped = {}
    for category, answer in zip(fresh, made, strict=True):
        if isinstance(answer, GrantFailure):
            raise keys.failure(answer)
        wrapped[category] = answer
    with unit_of_work():
        gate.require_open()
        lock_subject(row.subject_id)
        share = KeyShare.objects.filter(kid=row.new_share_id, state=ShareState.SUCCESSOR)
        if not share.exists():
            return
        known = set(
            DataKey.objects.filter(share=row.new_share_id).values_list("category_id", flat=True)
        )
        keys.insert(
            [
                (row.subject_id, category, row.new_share_id, ids.new_random(), answer)
                for category, answer in wrapped.items()
                if category not in known
            ],
            now=now,
        )
    failpoints.reach("vault.rekey.keys-stored")


@dataclass(frozen=True, slots=True)
class Wrapped:
    """Grants of the old share by id: the data key that takes its place, wrapped for the purpose."""

    rekey: Rekey
    grants: Mapping[int, tuple[UUID, bytes]]

    @requires_unit_of_work
    def is_complete(self) -> bool:
        """Whether no grant was made since; those withdrawn since do not count."""
        now = KeyGrant.objects.filter(share=self.rekey.old_share_id).values_list("id", flat=True)
        return set(now) <= self.grants.keys()

    @requires_unit_of_work
    def replace(self) -> None:
        """Put the new grants in the places of the old ones that are still there."""
        rows = [(id_, key, wrapped) for id_, (key, wrapped) in self.grants.items()]
        share = [self.rekey.new_share_id] * len(rows)
        with connection.cursor() as cursor:
            cursor.execute(
                _REPLACE,
                [[id_ for id_, _, _ in rows], [key for _, key, _ in rows], share,
                 [wrapped for _, _, wrapped in rows]],
            )  # fmt: skip
        KeyGrant.objects.filter(share=self.rekey.old_share_id).delete()


@no_open_transaction
def wrap_grants(row: Rekey, pairs: Sequence[KeyPair]) -> Wrapped:
    """Wrap the new data keys for every purpose that holds a grant of the old share now.

    Raises CustodianUnavailable, KeyLost, CustodianRefused.
    """
    by_old = {pair.old_id: pair for pair in pairs}
    held = [
        (id_, by_old[data_key], purpose)
        for id_, data_key, purpose in KeyGrant.objects.filter(share=row.old_share).values_list(
            "id", "data_key_id", "purpose_id"
        )
        if data_key in by_old
    ]
    names = dict(
        PurposeKey.objects.filter(purpose_id__in={purpose for _, _, purpose in held}).values_list(
            "purpose_id", "name"
        )
    )
    ref = keys.share_ref(row.new_share)
    made = runtime.custodian().make_grants(
        [GrantToMake(ref, names[purpose], pair.new) for _, pair, purpose in held]
    )
    wrapped = {}
    for (id_, pair, _), answer in zip(held, made, strict=True):
        if isinstance(answer, GrantFailure):
            raise keys.failure(answer)
        wrapped[id_] = (pair.new_id, answer)
    return Wrapped(row, wrapped)
