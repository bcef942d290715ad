"""`python -m bench.streams`: what reading costs, at any number of subjects.

Subjects are loaded as rows. At more than 10,000 the streams read a range of aliases with about
10,000 subjects, so that the same number of records is read from tables of another size.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench import ceilings, installation, loading, measurements, people
from bench.people import Cast
from bench.reader import ARROW
from bench.reports import Report
from config.local.addresses import free_port

_PART = 10_000
_ROUNDS = 7
_NDJSON = "application/x-ndjson"
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Load, measure, report."""
    parser = argparse.ArgumentParser(prog="bench.streams", description=__doc__)
    parser.add_argument("--subjects", type=int, default=_PART)
    parser.add_argument("--records-per-subject", type=int, default=5)
    options = parser.parse_args()
    report = Report("streams", options.subjects, options.records_per_subject)
    with installation.running() as bench:
        cast = people.make(bench)
        started = time.perf_counter()
        loading.load(cast, options.subjects, options.records_per_subject)
        report.add(
            "loaded as rows", "subjects/s", options.subjects / (time.perf_counter() - started)
        )
        from bench.__main__ import _attach_stream

        _attach_stream(cast)
        measure(cast, report, part=max(1, options.subjects // _PART))
    report.write()


def measure(cast: Cast, report: Report, *, part: int) -> None:
    """Cold and warm, lines and Arrow, one worker and two, and single reads."""
    each = report.records_per_subject
    reads = ceilings.key_store()["read"]
    place = (cast.bench.stream_url, f"0/{part}")
    with reading(cast, [place]) as (read,):
        cold = read()
    report.add("stream cold", "subjects/s", cold["records"] / each / cold["seconds"], reads)
    lean = ceilings.lean_pages(cast, part)
    lines, arrow, ceiling, used = [], [], [], 0.0
    with reading(cast, [place]) as (read,), reading(cast, [place], accept=ARROW) as (read_arrow,):
        for read_once in (read, read_arrow):
            read_once()  # keys again in the cache, however long the ceiling took
        for _ in range(_ROUNDS):  # in turns, so that all have the same load beside them
            ceiling.append(lean())
            before = cpu(cast, "stream")
            lines.append(read())
            used += cpu(cast, "stream") - before
            arrow.append(read_arrow())
    count = sum(one["records"] for one in lines)
    report.add("stream warm", "records/s", _rate(lines), median(ceiling))
    report.add("stream warm, per record", "us", 1e6 / _rate(lines))
    report.add("stream warm, worker's CPU per record", "us", 1e6 * used / count)
    report.add("stream warm, Arrow (NDJSON beside it)", "records/s", _rate(arrow), _rate(lines))
    two_workers(cast, report, part)
    single_reads(cast, report)


def two_workers(cast: Cast, report: Report, part: int) -> None:
    """Both halves at once on two worker processes, beside one half alone."""
    port = free_port()
    cast.bench.start("stream", port=port)
    other = f"http://127.0.0.1:{port}"
    places = [(cast.bench.stream_url, f"0/{2 * part}"), (other, f"1/{2 * part}")]
    with reading(cast, places) as readers:
        for read in readers:
            read()
        alone, both = [], []
        for _ in range(_ROUNDS):
            alone.append(readers[0]())
            for read in readers:
                read.begin()
            ends = [read.end() for read in readers]
            seconds = max(end["seconds"] for end in ends)
            both.append({"records": sum(end["records"] for end in ends), "seconds": seconds})
    report.add("stream warm, two workers (one beside it)", "records/s", _rate(both), _rate(alone))


def single_reads(cast: Cast, report: Report) -> None:
    """One subject's records, first ever and again within the cache's minute."""
    installation.open_gate()
    cast.sign_in()
    floor = ceilings.single_read(cast)
    for name, (value, flush) in measurements.single_reads(cast, 300).items():
        report.add(f"single read {name} (key store's floor beside it)", "ms", value, floor)
        report.add(f"one flush to disk {name}, between the reads", "ms", flush)


def _rate(rounds: Sequence[dict[str, Any]]) -> float:
    rate: float = median(one["records"] / one["seconds"] for one in rounds)
    return rate


class _Reader:
    """One client process; calling it reads the stream once."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self._child = child

    def begin(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write("go\n")
        self._child.stdin.flush()

    def end(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        answer: dict[str, Any] = json.loads(self._child.stdout.readline())
        return answer

    def __call__(self) -> dict[str, Any]:
        self.begin()
        return self.end()


@contextmanager
def reading(
    cast: Cast, places: Sequence[tuple[str, str]], accept: str = _NDJSON
) -> Iterator[list[_Reader]]:
    """A client for each (server, split) of one new lease."""
    installation.open_gate()
    cast.sign_in()
    answer = cast.pipeline.post(
        f"{cast.bench.url}/api/v1/purposes/{cast.purpose_public}/leases", json={}, timeout=60
    )
    answer.raise_for_status()
    path = f"/api/v1/leases/{answer.json()['id']}/records"
    token = str(cast.pipeline.headers["Authorization"]).removeprefix("Bearer ")
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.reader", f"{server}{path}?split={split}", accept],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"BENCH_TOKEN": token},
        )
        for server, split in places
    ]  # fmt: skip
    try:
        yield [_Reader(child) for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()


def cpu(cast: Cast, process: str) -> float:
    """Seconds of CPU of this run's processes of that name, found by their environment."""
    held = cast.bench.environment(process)
    wanted = {f"{name}={held[name]}".encode() for name in ("LETHE_PROCESS", "LETHE_STATE_DIR")}
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted <= set((folder / "environ").read_bytes().split(b"\0")):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return total / _TICKS


if __name__ == "__main__":
    main()
