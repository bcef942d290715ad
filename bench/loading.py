"""Many subjects at once, as rows: for sizes at which loading through the API is not the question.

Shares lie in the key store and data keys are wrapped by it, so what is loaded is read by the
product like anything else. Lookup tags, consent records and audit events are left out.
"""

import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson

from bench import people
from bench.people import Cast

_BATCH = 1_000
_AT = datetime(2026, 1, 5, 10, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """One subject with its keys, as its rows need them."""

    subject: UUID
    kid: UUID
    alias: UUID
    ground: UUID
    data_key: UUID
    key: bytes
    custody: bytes
    grant: bytes


def load(cast: Cast, subjects: int, each: int) -> None:
    """`subjects` consenting subjects with `each` records of about 1 KB."""
    from vault.services import purpose_keys

    wrapping_key = purpose_keys.wrapping_key(cast.purpose_id)
    random_ = random.Random(2)
    for start in range(0, subjects, _BATCH):
        made = _keys(cast, min(_BATCH, subjects - start), wrapping_key)
        _copy_all(cast, made, each, random_)
    analyse()


def _keys(cast: Cast, count: int, wrapping_key: str) -> list[_Loaded]:
    from vault import runtime
    from vault.domain.envelope import new_key
    from vault.ports import FreshShare, GrantToMake, ShareRef
    from vault.services.keys import CUSTODY

    custodian = runtime.custodian()
    refs = [ShareRef(os.urandom(16), cast.controller_id) for _ in range(count)]
    shares = [one for one in custodian.create_shares(refs) if isinstance(one, FreshShare)]
    keys = [new_key() for _ in shares]
    pairs = list(zip(shares, keys, strict=True))
    custody = custodian.make_grants([GrantToMake(s, CUSTODY, k) for s, k in pairs])
    grants = custodian.make_grants([GrantToMake(s, wrapping_key, k) for s, k in pairs])
    return [
        _Loaded(uuid4(), UUID(bytes=share.ref.kid), uuid4(), uuid4(), uuid4(), key,
                bytes(held), bytes(grant))  # type: ignore[arg-type]  # a failure is no bytes
        for (share, key), held, grant in zip(pairs, custody, grants, strict=True)
    ]  # fmt: skip


def _copy_all(cast: Cast, made: Sequence[_Loaded], each: int, random_: random.Random) -> None:
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        for table, columns, rows in (*_key_tables(cast, made), _records(cast, made, each, random_)):
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)


_GRANT = (
    "data_key_id, purpose_id, subject_id, category_id, alias_id, share_id, ground, counter, wrapped"
)
_Table = tuple[str, str, Iterable[tuple[Any, ...]]]


def _key_tables(cast: Cast, made: Sequence[_Loaded]) -> list[_Table]:
    controller, category, purpose = cast.controller_id, cast.category_id, cast.purpose_id
    return [
        ("vault_subject", "id, controller_id, state, trail_id, evidence_public, created_at",
         [(m.subject, controller, "live", uuid4(), os.urandom(32), _AT) for m in made]),
        ("vault_keyshare", 'kid, subject_id, controller_id, "group", cluster, state, planned_at',
         [(m.kid, m.subject, controller, "main", "default", "live", _AT) for m in made]),
        ("vault_datakey", "id, subject_id, category_id, share_id, created_at",
         [(m.data_key, m.subject, category, m.kid, _AT) for m in made]),
        ("vault_custodygrant", "data_key_id, subject_id, wrapped",
         [(m.data_key, m.subject, m.custody) for m in made]),
        ("vault_alias", "id, subject_id, purpose_id, ground, counter, changed_at",
         [(m.alias, m.subject, purpose, m.ground, 0, _AT) for m in made]),
        ("vault_keygrant", _GRANT,
         [(m.data_key, purpose, m.subject, category, m.alias, m.kid, m.ground, 0, m.grant)
          for m in made]),
    ]  # fmt: skip


def _records(cast: Cast, made: Sequence[_Loaded], each: int, random_: random.Random) -> _Table:
    columns = (
        "id, record_id, version, is_current, category_id, source_id, reference_tag,"
        " content_mac, ciphertext, created_at, data_key_id, subject_id"
    )
    return (
        "vault_sealedrecord",
        columns,
        (_record(cast, one, number, random_) for number in range(each) for one in made),
    )


def _record(cast: Cast, one: _Loaded, number: int, random_: random.Random) -> tuple[object, ...]:
    from core import ids
    from vault.domain import binding
    from vault.domain.envelope import seal

    record, source = ids.new_random(), cast.source_id
    document = orjson.dumps(people.document(random_, number), option=orjson.OPT_SORT_KEYS)
    bound = binding.record_binding(
        controller=cast.controller_id, subject=one.subject, category=cast.category_id,
        data_key=one.data_key, record=record, version=1,
    )  # fmt: skip
    tag = binding.reference_tag(key=one.key, source=source, reference=str(number))
    mac = binding.content_mac(key=one.key, document=document)
    sealed = seal(key=one.key, binding=bound, document=document)
    return (
        ids.new_time_ordered(), record, 1, True, cast.category_id, source, tag, mac, sealed,
        _AT, one.data_key, one.subject,
    )  # fmt: skip


def analyse() -> None:
    """What autovacuum does in time: statistics and visibility after a load."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
