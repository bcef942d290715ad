"""Data in: subjects, records and consents through the REST API, each beside what limits it."""

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import requests

from bench import installation, people
from bench.people import Cast

#: Lines of one request, and requests that a source has under way at once.
_CHUNK, _CLIENTS = 1_000, 4
_AT = datetime(2026, 1, 5, 10, tzinfo=UTC)
#: Most rows of the ceiling's copy, which is done three times.
_ROWS = 20_000
#: Seconds after which a new token is asked for, and the gate held open.
_RENEW = 300.0

Add = Callable[..., None]
Item = Mapping[str, object]


def figures(
    cast: Cast, names: Sequence[str], each: int, store: Mapping[str, float], add: Add
) -> None:
    """Create `names`, give them `each` records by turns, and let them consent.

    `store` has the key store's rates, as `ceilings.key_store` measures them.
    """
    source = Source(cast)
    rate, cpu = source.send("subjects:bulk", map(subject, names), {"created"})
    add("ingest new subjects", "subjects/s", rate, store["created"], web_cpu_us=cpu)
    _prepare(cast, len(names), add, store["created"])
    ahead = [f"ahead-{name}" for name in names]
    rate, cpu = source.send("subjects:bulk", map(subject, ahead), {"created"})
    add("ingest new subjects, prepared ahead", "subjects/s", rate, web_cpu_us=cpu)
    rate, cpu = source.send("records:bulk", records(names, each, "first"), {"created"})
    add("ingest first records (keys are made)", "records/s", rate, each * store["read"],
        web_cpu_us=cpu)  # fmt: skip
    bare, guarded = copy_rates(cast, min(_ROWS, len(names) * each))
    add("copy of sealed rows, bare table", "records/s", bare)
    for turn in ("second", "third"):
        rate, cpu = source.send("records:bulk", records(names, each, turn), {"created"})
    add("ingest records, existing subjects", "records/s", rate, guarded, web_cpu_us=cpu)
    rate, cpu = source.send("records:bulk", records(names, 1, "one"), {"created"})
    add("ingest one record of each subject", "records/s", rate, guarded, web_cpu_us=cpu)
    rate, cpu = source.send("records:bulk", records(names, 1, "one"), {"unchanged"})
    add("ingest records that are there already", "records/s", rate, guarded, web_cpu_us=cpu)
    consents = (consent(cast, name) for name in names)
    rate, cpu = source.send("consents:bulk", consents, {"recorded"})
    add("consents given", "consents/s", rate, store["read"], web_cpu_us=cpu)


class Source:
    """A source system that sends a few requests at once, each on a connection of its own."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self._web = cast.bench.supervisor._running["web"].pid  # noqa: SLF001 - to read its CPU time
        self._signed_in, self._lock = time.monotonic(), threading.Lock()

    def send(self, path: str, items: Iterator[Item], outcomes: set[str]) -> tuple[float, float]:
        """Lines per second, and microseconds of the web process's CPU for each."""
        bodies, count = [], 0
        while chunk := list(islice(items, _CHUNK)):
            bodies.append(people.lines(chunk))
            count += len(chunk)
        before, started = _cpu(self._web), time.perf_counter()
        with ThreadPoolExecutor(_CLIENTS) as pool:
            answers = list(pool.map(lambda body: self._post(path, body), bodies))
        seconds = time.perf_counter() - started
        found = {
            line["outcome"] for answer in answers for line in _lines(answer) if "end" not in line
        }
        assert found == outcomes, found
        return count / seconds, round((_cpu(self._web) - before) / count * 1e6, 1)

    def _post(self, path: str, body: bytes) -> bytes:
        with self._lock:  # a token lives ten minutes, the gate a quarter of an hour
            if time.monotonic() - self._signed_in > _RENEW:
                self._cast.sign_in()
                installation.open_gate()
                self._signed_in = time.monotonic()
        answer = requests.post(
            f"{self._cast.bench.url}/api/v1/{path}",
            data=body,
            headers={
                "Authorization": str(self._cast.source.headers["Authorization"]),
                "Content-Type": "application/x-ndjson",
            },
            timeout=600,
        )
        answer.raise_for_status()
        return answer.content


def _lines(answer: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.splitlines()]


def _cpu(session: int) -> float:
    """Seconds of CPU that the processes of a session have used."""
    ticks = 0
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # ended meanwhile
        if int(fields[3]) == session:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def subject(name: str) -> Item:
    return {"references": [_reference(name)]}


def _reference(name: str) -> Item:
    return {"kind": "customer-number", "value": name}


def records(names: Sequence[str], each: int, turn: str) -> Iterator[Item]:
    random_ = random.Random(1)
    for name in names:
        for number in range(each):
            yield {
                "subject": _reference(name),
                "category": "notes",
                "reference": f"{name}-{turn}-{number}",
                "document": people.document(random_, number),
            }


def consent(cast: Cast, name: str) -> Item:
    return {
        "subject": _reference(name),
        "purpose_id": cast.purpose_public,
        "decision": "given",
        "channel": "web",
        "decided_at": "2026-01-05T10:00:00Z",
        "text_digest": "0" * 64,
        "language": "en",
    }


def _prepare(cast: Cast, count: int, add: Add, ceiling: float) -> None:
    """By the service, in this process, which has the rights of `web`."""
    from core import clock
    from vault.services import prepared

    started = time.perf_counter()
    prepared.prepare(controller_id=cast.controller_id, count=count, now=clock.now())
    add("subjects prepared", "subjects/s", count / (time.perf_counter() - started), ceiling)


def copy_rates(cast: Cast, count: int) -> tuple[float, float]:
    """Rows per second, each of 1 KB and sealed here: into a bare table, and into the real one.

    The bare table has the same indexes and nothing else; the real one its foreign keys and the
    late writers' trigger too. What was copied is taken back.
    """
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute("CREATE TABLE bench_like (LIKE vault_sealedrecord INCLUDING INDEXES)")
    rates = {
        table: median(_copy(cast, table, count) for _ in range(3))
        for table in ("bench_like", "vault_sealedrecord")
    }
    return rates["bench_like"], rates["vault_sealedrecord"]


def _copy(cast: Cast, table: str, count: int) -> float:
    from django.db import connections

    from core.copying import copy_in
    from core.unit_of_work import unit_of_work
    from vault.models import DataKey
    from vault.services import record_rows

    keys = list(
        DataKey.objects.filter(category_id=cast.category_id).values_list("id", "subject_id")[:200]
    )
    marker, started = uuid4(), time.perf_counter()
    for start in range(0, count, _CHUNK):
        rows = [_row(cast, keys[n % len(keys)], marker) for n in range(start, start + _CHUNK)]
        with unit_of_work():
            copy_in(table=table, columns=record_rows.COLUMNS, rows=rows)
    seconds = time.perf_counter() - started
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE source_id = %s", [marker])
    return count / seconds


def _row(cast: Cast, key: Any, marker: Any) -> Any:
    from vault.domain.envelope import seal
    from vault.services.record_rows import Row

    data_key, subject = key
    sealed = seal(key=b"k" * 32, binding=b"b" * 104, document=b"d" * 1000)
    tag = os.urandom(16)
    return Row(
        uuid4(),
        uuid4(),
        1,
        is_current=True,
        subject_id=subject,
        category_id=cast.category_id,
        data_key_id=data_key,
        source_id=marker,
        reference_tag=tag,
        content_mac=tag,
        ciphertext=sealed,
        created_at=_AT,
        sealed_reference=os.urandom(49),
    )
