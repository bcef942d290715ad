"""What the product does, through its REST API and its own processes."""

import subprocess
import sys
import time
from statistics import median, quantiles
from uuid import uuid4

from bench.people import Cast

_MILLISECONDS = 1000


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


def single_reads(cast: Cast, count: int) -> dict[str, float]:
    """Milliseconds of GET /subjects/{id}/records, sequential, one connection."""
    from core import ids
    from core.ids import PublicId
    from vault.models import Subject

    subjects = Subject.objects.filter(state="live").order_by("?").values_list("id", flat=True)
    times = []
    for subject in subjects[:count]:
        url = f"{cast.bench.url}/api/v1/subjects/{ids.format(PublicId.SUBJECT, subject)}/records"
        started = time.perf_counter()
        answer = cast.source.get(url, timeout=30)
        times.append((time.perf_counter() - started) * _MILLISECONDS)
        answer.raise_for_status()
    cuts = quantiles(times, n=100)
    return {"p50": median(times), "p95": cuts[94], "p99": cuts[98]}


def erase(cast: Cast, count: int) -> float:
    """Erasures per second from fence to swept: fences here, the rest in the eraser process."""
    from core import clock
    from core.actors import Actor
    from core.unit_of_work import unit_of_work
    from vault.models import Shredding, Subject
    from vault.services import shredding

    actor = Actor("process:bench", "process", None)
    subjects = list(Subject.objects.filter(state="live").values_list("id", flat=True)[:count])
    for subject in subjects:
        with unit_of_work():
            shredding.fence(
                subject_id=subject, erasure_id=uuid4(), actor=actor, open_leases=0,
                now=clock.now(),
            )  # fmt: skip
    time.sleep(shredding.drain_time().total_seconds())
    started = time.perf_counter()
    command = [sys.executable, "manage.py", "sweep", "shred", "--forever"]
    environment = cast.bench.environment("eraser") | {"LETHE_SWEEP_EVERY": "0"}
    started = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as eraser:
        while Shredding.objects.filter(state__in=["fenced", "drained", "ordered"]).exists():
            time.sleep(0.05)
        seconds = time.perf_counter() - started
        eraser.kill()
    return count / seconds
