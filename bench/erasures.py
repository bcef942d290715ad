"""`python -m bench.erasures`: erasures, a whole source erased, a whole purpose retired, per second.

Worker, eraser and attester are processes of their own, as in production. The ceiling of erasures
is what the same key store destroys and reads back, by the same adapter, before and after.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import mean
from uuid import uuid4

from bench import ceilings, ingest, installation, people
from bench.ingest import Add
from bench.people import Cast
from bench.reports import Report

_SHARES = 2_000
_RECORDS = 2
_FENCES = 500


def main() -> None:
    """Load, erase; load again, retire; report."""
    parser = argparse.ArgumentParser(prog="bench.erasures", description=__doc__)
    parser.add_argument("--subjects", type=int, default=3_000)
    options = parser.parse_args()
    report = Report("erasures", options.subjects, _RECORDS)
    with installation.running() as bench:
        cast = people.make(bench)
        load(cast, options.subjects, "first")
        erase(cast, report.add)
        for name, act in (("second", erase_source), ("third", retire)):
            load(cast, options.subjects, name)
            act(cast, report, options.subjects)
    report.write()


def load(cast: Cast, count: int, name: str) -> None:
    """Subjects with two records and one consent each, put in through the REST API."""
    names = [f"synthetic-{name}-{number}" for number in range(count)]
    installation.open_gate()
    cast.sign_in()
    source = ingest.Source(cast)
    source.send("subjects:bulk", map(ingest.subject, names), {"created"})
    source.send("records:bulk", ingest.records(names, _RECORDS, "only"), {"created"})
    source.send("consents:bulk", (ingest.consent(cast, name) for name in names), {"recorded"})


def erase(cast: Cast, add: Add) -> None:
    """Fence everybody, outwait the drain, let eraser and attester work it off."""
    count = fence()
    before = _outwait(cast)
    with process(cast, "attest", is_idle=True), process(cast, "shred"):
        swept, verified = work_off(count)
    ceiling = mean([before, destroyed(cast)])
    add("erasures, fenced to swept", "erasures/s", swept, ceiling)
    add("erasures, fenced to verified", "erasures/s", verified, ceiling)


def fence() -> int:
    """Fence everybody; how many. Nobody asked, so the attester has no certificates to issue."""
    from core import clock
    from core.actors import Actor
    from core.unit_of_work import unit_of_work
    from vault.models import Subject
    from vault.services import fencing

    actor = Actor("process:bench", "process", None)
    subjects = list(Subject.objects.filter(state="live").values_list("id", flat=True))
    for start in range(0, len(subjects), _FENCES):
        fences = [fencing.Fence(subject, uuid4()) for subject in subjects[start : start + _FENCES]]
        with unit_of_work():
            fencing.fence_many(fences=fences, actor=actor, now=clock.now())
    return len(subjects)


def _outwait(cast: Cast) -> float:
    """The drain; then the ceiling."""
    from vault.services import shredding

    time.sleep(shredding.drain_time().total_seconds())
    installation.open_gate()
    return destroyed(cast)


def erase_source(cast: Cast, report: Report, count: int) -> None:
    """A mass erasure from its release to the last certificate, the drain left out."""
    from governance.models import SubjectRequest

    release(cast)
    report.add("mass erasure, fenced", "people/s", reached("erase-source", count))
    ceiling = _outwait(cast)
    done = SubjectRequest.objects.filter(state="certified")
    started = time.perf_counter()
    with process(cast, "attest"), process(cast, "shred"):
        while done.all().count() < count:
            time.sleep(0.2)
        rate = count / (time.perf_counter() - started)
    report.add("mass erasure, to the last certificate", "erasures/s", rate, ceiling)


def release(cast: Cast) -> None:
    """Draft, approve and release the erasure of the source, then let the worker fence everybody."""
    from core import clock
    from core.actors import Actor
    from governance.domain.law import ErasureGround
    from governance.services import mass_acts

    def person(role: str) -> Actor:
        return Actor(f"psn_{role}", role, cast.controller_id, person_id=uuid4())

    made = mass_acts.draft(
        controller_id=cast.controller_id, source_id=cast.source_id, ground=ErasureGround.A,
        actor=person("analyst"), now=clock.now(),
    )  # fmt: skip
    of = {"controller_id": cast.controller_id, "mass_act_id": made.id}
    for version, act, role in (
        (1, mass_acts.approve, "compliance-officer"), (2, mass_acts.release, "key-custodian"),
    ):  # fmt: skip
        act(**of, expected_version=version, actor=person(role), now=clock.now())
    with process(cast, "default"):
        ended("erase-source")


def retire(cast: Cast, report: Report, count: int) -> None:
    """Retire the purpose, and let the worker withdraw everybody's ground."""
    from core import clock
    from core.actors import Actor
    from governance.services import retirements
    from vault.models import KeyGrant

    dpo = Actor("psn_dpo", "dpo", cast.controller_id, person_id=uuid4())
    retirements.retire(
        controller_id=cast.controller_id, purpose_id=cast.purpose_id, actor=dpo, now=clock.now()
    )
    with process(cast, "default"):
        ended("withdraw-purpose")
    assert not KeyGrant.objects.exists()
    report.add("mass withdrawal", "people/s", reached("withdraw-purpose", count))


def ended(kind: str) -> None:
    """Wait until the mass act has reached everybody."""
    from governance.models import MassAct

    while MassAct.objects.filter(kind=kind, ended_at=None).exists():
        time.sleep(0.05)


def reached(kind: str, count: int) -> float:
    """People per second of the worker's own batches, its start left out."""
    from core.models import AuditEvent
    from governance.models import MassAct

    mass_act = MassAct.objects.get(kind=kind)
    assert mass_act.done == count, (mass_act.done, mass_act.left)
    assert mass_act.ended_at is not None
    is_erasure = kind == "erase-source"
    action = "governance.request.released" if is_erasure else "governance.purpose.ended"
    first = AuditEvent.objects.filter(action=action).earliest("occurred_at").occurred_at
    return count / (mass_act.ended_at - first).total_seconds()


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
    rows = Shredding.objects.filter(state="verified")
    assert rows.count() == count
    started = rows.aggregate(at=Min("drained_at"))["at"].timestamp()
    return count / (ends["swept"] - started), count / (ends["verified"] - started)


if __name__ == "__main__":
    main()
