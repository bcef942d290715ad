"""`python -m bench.mixed --minutes 60`: everything at once, at a bounded rate, for a long time.

Sources send people, records and consents; pipelines stream; single records are read; people
withdraw and are erased, by request, decision, approval and release. Whatever a client is answered
that the documentation does not allow ends up in the report, with the latencies of each kind and
the memory of each process over time.
"""

import argparse
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from uuid import UUID, uuid4

import requests

from bench import ingest, installation, people
from bench.people import Cast
from bench.reports import Report

#: Seconds from one act of a kind to the next.
_EVERY = {"arrive": 2.0, "read": 0.2, "stream": 5.0, "withdraw": 0.5, "erase": 1.0}
_NEW, _EACH = 20, 3
#: What a client may be told while people are erased around it.
_ALLOWED = {
    "arrive": {"created", "existing", "unchanged", "recorded"},
    "read": {"200", "410"},
    "stream": {"end"},
    "withdraw": {"withdrawn", "erased"},
    "erase": {"released"},
}
_QUEUES = {"worker": "default", "eraser": "shred", "attester": "attest"}
_MEMORY_EVERY = 10.0


def main() -> None:
    """Run, watch, report; fails when something was answered that may not be."""
    parser = argparse.ArgumentParser(prog="bench.mixed", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    options = parser.parse_args()
    with installation.running() as bench:
        cast = people.make(bench)
        from bench.__main__ import _attach_stream

        _attach_stream(cast)
        with workers(cast):
            load = Load(cast)
            memory = load.run(options.minutes * 60)
            left = load.settled()
    report = Report(f"mixed-{options.minutes:g}-minutes", load.people, _EACH)
    load.tell(report, left)
    tell_memory(report, memory)
    report.write()
    if load.refused:
        sys.exit(f"answers that may not be: {dict(load.refused)}")


@contextmanager
def workers(cast: Cast) -> Iterator[None]:
    """The processes that run effects, without Celery."""
    children = [
        subprocess.Popen(
            [sys.executable, "manage.py", "sweep", queue, "--forever"],
            env=cast.bench.environment(process), stdout=subprocess.DEVNULL,
        )
        for process, queue in _QUEUES.items()
    ]  # fmt: skip
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()


class Load:
    """One thread for each kind of act; all share the names of the people who are there."""

    def __init__(self, cast: Cast) -> None:
        self.cast, self.people = cast, 0
        self.refused: Counter[tuple[str, str]] = Counter()
        self._counts: Counter[str] = Counter()
        self._times: dict[str, list[float]] = defaultdict(list)
        self._living: dict[str, UUID] = {}
        self._random = random.Random(7)
        self._stop = threading.Event()

    def run(self, seconds: float) -> dict[str, list[float]]:
        """Act for so long; resident megabytes of each process over time."""
        self._sign_in()
        self._arrive()
        acts: dict[str, Callable[[], None]] = {
            "arrive": self._arrive, "read": self._read, "stream": self._stream,
            "withdraw": self._withdraw, "erase": self._erase,
        }  # fmt: skip
        threads = [
            threading.Thread(target=self._again, args=(_EVERY[kind], kind, act), daemon=True)
            for kind, act in acts.items()
        ]
        for thread in threads:
            thread.start()
        until, memory = time.monotonic() + seconds, defaultdict(list)
        signed_in = time.monotonic()
        while time.monotonic() < until:
            time.sleep(_MEMORY_EVERY)
            for name, size in resident(self.cast).items():
                memory[name].append(size)
            if time.monotonic() - signed_in > 300:
                self._sign_in()
                signed_in = time.monotonic()
        self._stop.set()
        for thread in threads:
            thread.join(60)
        return memory

    def settled(self) -> int:
        """Wait for the erasures that were released; how many are not verified in time."""
        from vault.models import Shredding

        open_ = Shredding.objects.exclude(state__in=["verified", "backup_clear", "cancelled"])
        until = time.monotonic() + 120
        while open_.exists() and time.monotonic() < until:
            time.sleep(0.5)
        return open_.count()

    def tell(self, report: Report, left: int) -> None:
        """Rates and latencies, and what was refused."""
        for kind, times in sorted(self._times.items()):
            cuts = quantiles(times, n=100) if len(times) > 1 else times * 99
            report.add(f"{kind}, acts", "count", len(times))
            for name, value in (("P50", cuts[49]), ("P95", cuts[94]), ("P99", cuts[98])):
                report.add(f"{kind}, {name}", "ms", value * 1000)
        for name, count in sorted(self._counts.items()):
            report.add(name, "count", count)
        report.add("erasures not verified within two minutes of the end", "count", left)
        report.add("answers that may not be", "count", sum(self.refused.values()))
        for (kind, answer), count in self.refused.items():
            report.add(f"refused: {kind} {answer}", "count", count)

    def _again(self, every: float, kind: str, act: Callable[[], None]) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            started = time.perf_counter()
            try:
                act()
            except Exception as error:  # noqa: BLE001 - whatever a client meets is a finding
                self.refused[kind, type(error).__name__] += 1
            self._times[kind].append(time.perf_counter() - started)
            due = max(due + every, time.monotonic())
            self._stop.wait(due - time.monotonic())

    def _answered(self, kind: str, answer: str) -> None:
        self._counts[f"{kind}: {answer}"] += 1
        if answer not in _ALLOWED[kind]:
            self.refused[kind, answer] += 1

    def _sign_in(self) -> None:
        self.cast.sign_in()

    def _session(self, of: requests.Session) -> requests.Session:
        mine = requests.Session()
        mine.trust_env = False
        mine.headers["Authorization"] = str(of.headers["Authorization"])
        return mine

    def _arrive(self) -> None:
        """A few new people with records and consents."""
        names = [f"mixed-{self.people + number}" for number in range(_NEW)]
        self.people += _NEW
        with self._session(self.cast.source) as source:
            made = self._lines(source, "subjects:bulk", map(ingest.subject, names))
            self._lines(source, "records:bulk", ingest.records(names, _EACH, "mixed"))
            consents = (ingest.consent(self.cast, name) for name in names)
            self._lines(source, "consents:bulk", consents)
        from core import ids
        from core.ids import PublicId

        for name, line in zip(names, made, strict=True):
            self._living[name] = ids.parse(PublicId.SUBJECT, line["id"])

    def _lines(
        self, source: requests.Session, path: str, items: Iterator[ingest.Item]
    ) -> list[dict[str, Any]]:
        answer = source.post(
            f"{self.cast.bench.url}/api/v1/{path}", data=people.lines(items), timeout=60,
            headers={"Content-Type": "application/x-ndjson"},
        )  # fmt: skip
        answer.raise_for_status()
        lines = [json.loads(line) for line in answer.content.splitlines()]
        outcomes = [line for line in lines if "end" not in line]
        for line in outcomes:
            self._answered("arrive", line["outcome"])
        return outcomes

    def _somebody(self) -> tuple[str, UUID]:
        return self._random.choice(list(self._living.items()))

    def _read(self) -> None:
        from core import ids
        from core.ids import PublicId

        _, subject = self._somebody()
        path = f"subjects/{ids.format(PublicId.SUBJECT, subject)}/records"
        with self._session(self.cast.source) as source:
            answer = source.get(f"{self.cast.bench.url}/api/v1/{path}", timeout=60)
        self._answered("read", str(answer.status_code))

    def _stream(self) -> None:
        with self._session(self.cast.pipeline) as pipeline:
            base = f"{self.cast.bench.url}/api/v1"
            made = pipeline.post(
                f"{base}/purposes/{self.cast.purpose_public}/leases", json={}, timeout=60
            )
            made.raise_for_status()
            lease = made.json()["id"]
            url = f"{self.cast.bench.stream_url}/api/v1/leases/{lease}/records"
            text = pipeline.get(url, timeout=600).content
            self._answered("stream", "end" if json.loads(text.splitlines()[-1])["end"] else "cut")
            pipeline.post(f"{base}/leases/{lease}/close", timeout=60).raise_for_status()

    def _withdraw(self) -> None:
        name, _ = self._somebody()
        line = {**ingest.consent(self.cast, name), "decision": "withdrawn"}
        with self._session(self.cast.source) as source:
            answer = source.post(
                f"{self.cast.bench.url}/api/v1/consents:bulk", data=people.lines([line]),
                headers={"Content-Type": "application/x-ndjson"}, timeout=60,
            )  # fmt: skip
        answer.raise_for_status()
        outcome = json.loads(answer.content.splitlines()[0])["outcome"]
        self._answered("withdraw", "withdrawn" if outcome == "recorded" else outcome)

    def _erase(self) -> None:
        name, subject = self._somebody()
        del self._living[name]
        erase(self.cast, subject)
        self._answered("erase", "released")


def erase(cast: Cast, subject: UUID) -> None:
    """Request, draft, approval and release by different people."""
    from core import clock, ids
    from core.actors import Actor
    from core.ids import PublicId
    from governance.domain.law import Channel, ErasureGround
    from governance.services import requests as cases

    def person(role: str) -> Actor:
        id_ = uuid4()
        return Actor(ids.format(PublicId.PERSON, id_), role, cast.controller_id, id_)

    now, of = clock.now(), {"controller_id": cast.controller_id}
    case = cases.open_request(
        **of, kind="erasure", subject_id=subject, ground=ErasureGround.B, channel=Channel.WEB,
        received_at=now, actor=person("analyst"), now=now,
    )  # fmt: skip
    for act, role, more in (
        ("draft", "analyst", {"outcome": "erase", "ground": ErasureGround.B}),
        ("approve", "compliance-officer", {}),
        ("release", "key-custodian", {}),
    ):
        version = cases.get(**of, request_id=case.id).version
        getattr(cases, act)(
            **of, request_id=case.id, expected_version=version, actor=person(role),
            now=clock.now(), **more,
        )  # fmt: skip


def resident(cast: Cast) -> dict[str, float]:
    """Megabytes of each of the installation's processes."""
    wanted = f"LETHE_STATE_DIR={cast.bench.environment('web')['LETHE_STATE_DIR']}".encode()
    sizes: dict[str, float] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            held = (folder / "environ").read_bytes().split(b"\0")
            name = next(one for one in held if one.startswith(b"LETHE_PROCESS="))[14:].decode()
            kilobytes = (folder / "status").read_text().split("VmRSS:")[1].split()[0]
        except (OSError, StopIteration, IndexError):
            continue
        if wanted in held:
            sizes[name] = max(sizes.get(name, 0), int(kilobytes) / 1024)
    return sizes


def tell_memory(report: Report, memory: dict[str, list[float]]) -> None:
    """The second fifth of the run beside the last: a process that leaks grows in between."""
    for name, sizes in sorted(memory.items()):
        fifth = max(1, len(sizes) // 5)
        early, late = median(sizes[fifth : 2 * fifth] or sizes), median(sizes[-fifth:])
        report.add(f"memory of {name} at the end (early beside it)", "MB", late, early)


if __name__ == "__main__":
    main()
