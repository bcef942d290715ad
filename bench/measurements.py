"""What the product does, through its REST API and its own processes."""

import os
import time
from pathlib import Path
from statistics import quantiles

from bench.people import Cast

_MILLISECONDS = 1000
_WARM_UP = 150
_PAGE = bytes(8192)


def stream(cast: Cast) -> tuple[float, int]:
    """Records per second of one lease read to its end, and how many there were."""
    answer = cast.pipeline.post(
        f"{cast.bench.url}/api/v1/purposes/{cast.purpose_public}/leases", json={}, timeout=60
    )
    answer.raise_for_status()
    lease = answer.json()["id"]
    started = time.perf_counter()
    count = 0
    with cast.pipeline.get(
        f"{cast.bench.stream_url}/api/v1/leases/{lease}/records", stream=True, timeout=600
    ) as answer:
        answer.raise_for_status()
        last = b""
        for chunk in answer.iter_content(1 << 20):
            count += chunk.count(b'{"alias"')
            last = (last + chunk)[-400:]
    assert b'"end":true' in last.replace(b" ", b""), last
    return count / (time.perf_counter() - started), count


def single_reads(cast: Cast, count: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of GET /subjects/{id}/records, and of flushing 8 KB to the same disk.

    Sequential, one connection, in turns: each read commits its disclosure before it answers, so it
    waits for such a flush. As many reads go before as bring each thread of the web process its
    connection and its plans.
    """
    from core import ids
    from core.ids import PublicId
    from vault.models import Subject

    subjects = Subject.objects.filter(state="live").order_by("?").values_list("id", flat=True)
    times, flushes = [], []
    for subject in subjects[: count + _WARM_UP]:
        url = f"{cast.bench.url}/api/v1/subjects/{ids.format(PublicId.SUBJECT, subject)}/records"
        started = time.perf_counter()
        answer = cast.source.get(url, timeout=30)
        times.append((time.perf_counter() - started) * _MILLISECONDS)
        answer.raise_for_status()
        flushes.append(_flush(cast.bench.folder / "flush"))
    cuts, flushed = (quantiles(one[_WARM_UP:], n=100) for one in (times, flushes))
    return {f"p{part}": (cuts[part - 1], flushed[part - 1]) for part in (50, 95, 99)}


def _flush(path: Path) -> float:
    """Milliseconds until one page more is on the disk, as PostgreSQL's log is at a commit."""
    file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    try:
        started = time.perf_counter()
        os.write(file, _PAGE)
        os.fdatasync(file)
        return (time.perf_counter() - started) * _MILLISECONDS
    finally:
        os.close(file)
