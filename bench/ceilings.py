"""What the machine and the key store could do at best, measured in the same run."""

import os
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any
from uuid import UUID, uuid4

from bench.people import Cast

_KEYS = 1_500


def rate(count: int, act: Callable[[], object]) -> float:
    """Things per second of one call that does `count` of them."""
    started = time.perf_counter()
    act()
    return count / (time.perf_counter() - started)


def stream_warm(cast: Cast) -> float:
    """Records per second: the pages by raw SQL in the same order, opened with keys in memory."""
    from django.db import connection

    from vault.services import reading

    keys: dict[UUID, bytes] = {}

    def read(*, learn: bool) -> int:
        from vault.domain import binding
        from vault.domain.envelope import open_sealed

        alias, data_key, record, total = UUID(int=0), UUID(int=0), UUID(int=0), 0
        while True:
            with connection.cursor() as cursor:
                cursor.execute(
                    reading._PAGE,  # noqa: SLF001 - the same statement is the point
                    {
                        "purpose": cast.purpose_id,
                        "categories": [cast.category_id],
                        "alias": alias,
                        "upper": UUID(int=(1 << 128) - 1),
                        "data_key": data_key,
                        "record": record,
                        "limit": reading.PAGE_ROWS,
                    },
                )
                rows = cursor.fetchall()
            for row in rows:
                bound = binding.record_binding(
                    controller=row[7], subject=row[6], category=row[5],
                    data_key=row[1], record=row[2], version=row[3],
                )  # fmt: skip
                if learn:
                    _learn(keys, row)
                open_sealed(key=keys[row[1]], binding=bound, sealed=bytes(row[4]))
            total += len(rows)
            if len(rows) < reading.PAGE_ROWS:
                return total
            alias, data_key, record = rows[-1][:3]

    count = read(learn=True)
    return median(rate(count, lambda: read(learn=False)) for _ in range(3))


def _learn(keys: dict[UUID, bytes], row: Sequence[Any]) -> None:
    """The data key through custody, since this process may not open the purpose."""
    from vault.models import CustodyGrant
    from vault.ports import GrantToOpen
    from vault.services import key_cache
    from vault.services import keys as key_service

    if row[1] not in keys:
        grant = CustodyGrant.objects.select_related("data_key__share").get(data_key_id=row[1])
        wanted = GrantToOpen(
            key_service.share_ref(grant.data_key.share), "custody", bytes(grant.wrapped)
        )
        (opened,) = key_cache.open_grants([wanted])
        keys[grant.data_key_id] = bytes(opened)  # type: ignore[arg-type]


def key_store(cast: Cast) -> dict[str, float]:
    """Per second: shares created, read (through one unwrap each), destroyed and read back."""
    from vault import runtime
    from vault.adapters.hashicorp.custodian import HashicorpCustodian
    from vault.adapters.hashicorp.layout import Layout
    from vault.adapters.hashicorp.transport import read
    from vault.ports import ShareRef

    custodian = runtime.custodian()
    controller = uuid4()
    refs = [ShareRef(os.urandom(16), controller) for _ in range(_KEYS)]
    shares = custodian._shares  # type: ignore[attr-defined]  # noqa: SLF001 - its client is the fastest
    created = rate(_KEYS, lambda: custodian.create_shares(refs))
    paths = [read(shares._layout.share("data", ref)) for ref in refs]  # noqa: SLF001
    reads = median(rate(_KEYS, lambda: shares._client.send(paths)) for _ in range(3))  # noqa: SLF001
    eraser = HashicorpCustodian(cast.bench.client("eraser"), Layout())

    def destroy() -> None:
        eraser.destroy_shares(refs)
        eraser.read_destruction(refs)

    destroyed = rate(_KEYS, destroy)
    return {"created": created, "read": reads, "destroyed": destroyed}


def single_read(cast: Cast) -> float:
    """Milliseconds, median: one share read and one unwrap by the adapter."""
    from vault import runtime
    from vault.models import CustodyGrant
    from vault.ports import GrantToOpen
    from vault.services import keys

    grants = CustodyGrant.objects.select_related("data_key__share").filter(
        data_key__category_id=cast.category_id
    )[:200]
    wanted = [
        GrantToOpen(keys.share_ref(g.data_key.share), "custody", bytes(g.wrapped)) for g in grants
    ]
    times = []
    for one in wanted:
        started = time.perf_counter()
        runtime.custodian().open_grants([one])
        times.append(time.perf_counter() - started)
    return median(times) * 1000


def ingest(count: int) -> float:
    """Rows per second: 1 KB sealed and copied into a table of the same indexes."""
    from django.db import connections

    from vault.domain.envelope import new_key, seal

    key, plain = new_key(), os.urandom(1000)
    with connections["owner"].cursor() as cursor:
        cursor.execute("CREATE TABLE bench_like (LIKE vault_sealedrecord INCLUDING INDEXES)")

        def fill() -> None:
            with cursor.copy("COPY bench_like FROM STDIN") as copy:
                for number in range(count):
                    sealed = seal(key=key, binding=b"x" * 104, document=plain)
                    record = uuid4()
                    copy.write_row(_row(record, number, sealed))

        columns = _columns(cursor)
        assert columns == _COLUMNS, columns
        return rate(count, fill)


_COLUMNS = [
    "id", "record_id", "version", "is_current", "category_id", "source_id", "reference_tag",
    "content_mac", "ciphertext", "created_at", "data_key_id", "subject_id",
]  # fmt: skip


def _columns(cursor: object) -> list[str]:
    cursor.execute(  # type: ignore[attr-defined]
        "SELECT column_name FROM information_schema.columns WHERE table_name='bench_like'"
        " ORDER BY ordinal_position"
    )
    return [name for (name,) in cursor.fetchall()]  # type: ignore[attr-defined]


def _row(record: UUID, number: int, sealed: bytes) -> tuple[object, ...]:
    tag = number.to_bytes(16, "big")
    return (
        uuid4(), record, 1, True, record, record, tag, tag, sealed,
        "2026-01-01T00:00:00Z", uuid4(), record,
    )  # fmt: skip
