"""`python -m bench.erasures`: erasures per second, from their fences to their verification.

The eraser and the attester are processes of their own, as in production. The ceiling is what the
same key store destroys and reads back, by the same adapter, before and after.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import mean
from uuid import UUID, uuid4

from bench import ceilings, ingest, installation, people
from bench.people import Cast
from bench.reports import Report

_SHARES = 2_000
_FENCES = 500
_RECORDS = 2


def main() -> None:
    """Load, erase, report."""
    parser = argparse.ArgumentParser(prog="bench.erasures", description=__doc__)
    parser.add_argument("--subjects", type=int, default=3_000)
    options = parser.parse_args()
    report = Report("erasures", options.subjects, _RECORDS)
    with installation.running() as bench:
        cast = people.make(bench)
        measure(cast, report, load(cast, options.subjects))
    report.write()


def load(cast: Cast, count: int) -> list[UUID]:
    """Subjects with two records and one consent each, put in through the REST API."""
    from vault.models import Subject

    names = [f"synthetic-{number}" for number in range(count)]
    source = ingest.Source(cast)
    source.send("subjects:bulk", map(ingest.subject, names), {"created"})
    source.send("records:bulk", ingest.records(names, _RECORDS, "only"), {"created"})
    source.send("consents:bulk", (ingest.consent(cast, name) for name in names), {"recorded"})
    return list(Subject.objects.filter(state="live").values_list("id", flat=True))


def measure(cast: Cast, report: Report, subjects: Sequence[UUID]) -> None:
    """Fence all, outwait the drain, then let the two processes work it off."""
    from vault.services import shredding

    started = time.perf_counter()
    fence(subjects)
    report.add("fenced", "subjects/s", len(subjects) / (time.perf_counter() - started))
    time.sleep(shredding.drain_time().total_seconds())
    installation.open_gate()
    before = destroyed(cast)
    with process(cast, "attest", is_idle=True), process(cast, "shred"):
        swept, verified = work_off(len(subjects))
    ceiling = mean([before, destroyed(cast)])
    report.add("erasures, fenced to swept", "erasures/s", swept, ceiling)
    report.add("erasures, fenced to verified", "erasures/s", verified, ceiling)


def fence(subjects: Sequence[UUID]) -> None:
    """Fences in this process, as a released mass erasure sets them."""
    from core import clock
    from core.actors import Actor
    from core.unit_of_work import unit_of_work
    from vault.services import shredding

    actor = Actor("process:bench", "process", None)
    for subject in subjects:
        with unit_of_work():
            shredding.fence(
                subject_id=subject, erasure_id=uuid4(), actor=actor, open_leases=0,
                now=clock.now(),
            )  # fmt: skip


def destroyed(cast: Cast) -> float:
    """Shares per second that the key store destroys and reads back, by the eraser's credential."""
    from vault import runtime
    from vault.adapters.hashicorp.custodian import HashicorpCustodian
    from vault.adapters.hashicorp.layout import Layout
    from vault.ports import ShareRef

    refs = [ShareRef(os.urandom(16), cast.controller_id) for _ in range(_SHARES)]
    runtime.custodian().create_shares(refs)
    eraser = HashicorpCustodian(cast.bench.client("eraser"), Layout())
    eraser.read_destruction(refs[:1])  # signed in, connected

    def act() -> None:
        eraser.destroy_shares(refs)
        assert {one.state.value for one in eraser.read_destruction(refs)} == {"destroyed"}

    return ceilings.rate(_SHARES, act)


@contextmanager
def process(cast: Cast, queue: str, *, is_idle: bool = False) -> Iterator[None]:
    """The product's process of a queue; waits for its first sweep where that finds nothing."""
    name = {"shred": "eraser", "attest": "attester"}.get(queue, "worker")
    environment = cast.bench.environment(name) | {
        "LETHE_SWEEP_EVERY": "0.02",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "manage.py", "sweep", queue, "--forever"]
    profile = os.environ.get("BENCH_PROFILE")
    if profile:
        command[1:1] = ["-m", "cProfile", "-o", f"{profile}-{name}"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        if is_idle:
            child.stdout.readline()
        drain = subprocess.Popen(["cat"], stdin=child.stdout, stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            child.send_signal(2)
            child.wait()
            drain.wait()


def work_off(count: int) -> tuple[float, float]:
    """Erasures per second until all are swept, and until all are verified."""
    from django.db.models import Min

    from vault.models import Shredding

    ends = {}
    for name, states in (
        ("swept", ["fenced", "drained", "ordered", "keys-destroyed"]),
        ("verified", ["swept"]),
    ):
        rows = Shredding.objects.filter(state__in=states)
        while rows.all().exists():
            time.sleep(0.1)
        ends[name] = time.time()
    started = Shredding.objects.aggregate(at=Min("drained_at"))["at"].timestamp()
    assert Shredding.objects.filter(state="verified").count() == count
    return count / (ends["swept"] - started), count / (ends["verified"] - started)


if __name__ == "__main__":
    main()
