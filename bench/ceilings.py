"""What the machine and the key store could do at best, measured in the same run."""

import os
import time
from collections.abc import Callable, Sequence
from statistics import median
from uuid import UUID, uuid4

from bench.people import Cast

_KEYS = 1_500


def rate(count: int, act: Callable[[], object]) -> float:
    """Things per second of one call that does `count` of them."""
    started = time.perf_counter()
    act()
    return count / (time.perf_counter() - started)


_LEAN = """
SELECT g.alias_id, g.category_id, r.record_id, g.data_key_id, r.version, r.ciphertext
FROM vault_keygrant g JOIN vault_sealedrecord r ON r.data_key_id = g.data_key_id AND r.is_current
WHERE g.purpose_id = %(purpose)s AND g.alias_id >= %(alias)s AND g.alias_id < %(upper)s
  AND (g.alias_id, g.category_id, r.record_id) > (%(alias)s, %(category)s, %(record)s)
ORDER BY g.alias_id, g.category_id, r.record_id LIMIT 1000
"""


def stream_warm(cast: Cast) -> float:
    """Records per second of `lean_pages`."""
    read = lean_pages(cast)
    return median(read() for _ in range(5))


def lean_pages(cast: Cast, part: int = 1) -> Callable[[], float]:
    """What reads the leanest keyset pages once, by ready AES-GCM objects; records per second.

    Only grant and record are joined: no gate, no consent, no share, no subject. Results are
    binary, the statement is prepared, nothing is named, written or sent. `part` reads the first
    of so many ranges of aliases.
    """
    from django.db import connection
    from psycopg import Cursor
    from psycopg.types.string import ByteaBinaryLoader

    connection.ensure_connection()
    driver = connection.connection
    driver.prepare_threshold = 1 << 30
    keys: dict[bytes, tuple[Callable[..., bytes], bytes]] = {}

    def read(*, learn: bool) -> int:
        start, total = [UUID(int=0)] * 3, 0
        bounds = {"purpose": cast.purpose_id, "upper": UUID(int=((1 << 128) - 1) // part)}
        with Cursor(driver) as cursor:
            cursor.adapters.register_loader("uuid", ByteaBinaryLoader)
            while True:
                names = zip(("alias", "category", "record"), start, strict=True)
                cursor.execute(_LEAN, {**bounds, **dict(names)}, prepare=True, binary=True)
                rows = cursor.fetchall()
                if learn:
                    _learn(keys, [row[3] for row in rows])
                for _, _, record, data_key, version, sealed in rows:
                    decrypt, begins = keys[data_key]
                    bound = begins + record + version.to_bytes(8, "big")
                    decrypt(sealed[1:13], sealed[13:], bound)
                total += len(rows)
                if len(rows) < 1000:
                    return total
                start = [UUID(bytes=id_) for id_ in rows[-1][:3]]

    count = read(learn=True)
    return lambda: rate(count, lambda: read(learn=False))


def _learn(keys: dict[bytes, tuple[Callable[..., bytes], bytes]], wanted: Sequence[bytes]) -> None:
    """The data keys through custody, since this process may not open the purpose."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from vault import runtime
    from vault.domain.binding import data_key_binding
    from vault.models import CustodyGrant
    from vault.ports import GrantToOpen
    from vault.services.keys import share_ref

    missing = {UUID(bytes=id_) for id_ in wanted} - {UUID(bytes=id_) for id_ in keys}
    found = CustodyGrant.objects.select_related("data_key__share", "subject")
    grants = list(found.filter(data_key_id__in=missing))
    opened = runtime.custodian().open_grants(
        [GrantToOpen(share_ref(g.data_key.share), "custody", bytes(g.wrapped)) for g in grants]
    )
    for grant, key in zip(grants, opened, strict=True):
        assert isinstance(key, bytes)
        begins = data_key_binding(
            grant.subject.controller_id.bytes,
            grant.subject_id.bytes,
            grant.data_key.category_id.bytes,
            grant.data_key_id.bytes,
        )
        keys[grant.data_key_id.bytes] = AESGCM(key).decrypt, begins


def key_store() -> dict[str, float]:
    """Per second: shares created, and read."""
    from vault import runtime
    from vault.adapters.hashicorp.transport import read
    from vault.ports import ShareRef

    custodian = runtime.custodian()
    controller = uuid4()
    refs = [ShareRef(os.urandom(16), controller) for _ in range(_KEYS)]
    shares = custodian._shares  # type: ignore[attr-defined]  # noqa: SLF001 - its client is the fastest
    created = rate(_KEYS, lambda: custodian.create_shares(refs))
    paths = [read(shares._layout.share("data", ref)) for ref in refs]  # noqa: SLF001
    reads = median(rate(_KEYS, lambda: shares._client.send(paths)) for _ in range(3))  # noqa: SLF001
    return {"created": created, "read": reads}


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
