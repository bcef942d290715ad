"""`python -m bench.latency`: how long an erasure takes while the chain answers, and while it hangs.

One erasure after the other; eraser and attester are processes of their own. Meanwhile the log is
sealed every second and a thread anchors it: on an anvil with a block a second, or on a node that
takes connections and never answers. The two take turns, so that drift of the machine hits both.
"""

import argparse
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from uuid import uuid4

from bench import chains, erasures, installation, people
from bench.people import Cast
from bench.reports import Report
from contracts.domain.chain_rules import ChainRules, read_rules

_EVERY = 0.2
_BLOCK = {"chain-id": 31337, "finality": "tag", "max-fee-gwei": 100, "poll": 0.2, "every": 1}


def main() -> None:
    """Measure in turns, then report."""
    parser = argparse.ArgumentParser(prog="bench.latency", description=__doc__)
    parser.add_argument("--erasures", type=int, default=50, help="of each turn")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    count: int = options.erasures
    report = Report("latency", count * options.turns * 2, 2)
    seconds: dict[str, list[float]] = {"up": [], "down": []}
    with tempfile.TemporaryDirectory() as folder, installation.running() as bench:
        cast = people.make(bench)
        with _up() as up, _down() as down:
            chains.deploy(up, Path(folder), chains.sender(Path(folder)).address)
            for turn in range(options.turns):
                for name, rules in (("up", up), ("down", down)):
                    erasures.load(cast, count, f"{name}-{turn}")
                    with _anchoring(cast, rules, Path(folder)):
                        seconds[name] += _erased(cast, count)
    up_p50, down_p50 = median(seconds["up"]), median(seconds["down"])
    report.add("erasure, drained to verified, chain down, P50 (beside up)", "s", down_p50, up_p50)
    p95 = {name: quantiles(found, n=20)[-1] for name, found in seconds.items()}
    report.add("the same, P95", "s", p95["down"], p95["up"])
    report.write()


def _erased(cast: Cast, count: int) -> list[float]:
    """Fence one after the other; seconds that each took behind its drain."""
    from core import clock
    from core.actors import Actor
    from core.unit_of_work import unit_of_work
    from vault.models import Shredding, Subject
    from vault.services import fencing

    actor = Actor("process:bench", "process", None)
    subjects = list(Subject.objects.filter(state="live").values_list("id", flat=True))
    assert len(subjects) == count
    installation.open_gate()
    made = []
    with erasures.process(cast, "attest"), erasures.process(cast, "shred"):
        for subject in subjects:
            fence = fencing.Fence(subject, uuid4())
            with unit_of_work():
                fencing.fence_many(fences=[fence], actor=actor, now=clock.now())
            made.append(fence.erasure_id)
            time.sleep(_EVERY)
        rows = Shredding.objects.filter(erasure_id__in=made)
        while rows.filter(verified_at=None).exists():
            time.sleep(0.1)
    times = rows.values_list("drained_at", "verified_at")
    return [
        (verified - drained).total_seconds()
        for drained, verified in times
        if drained is not None and verified is not None
    ]


@contextmanager
def _up() -> Iterator[ChainRules]:
    from tests.servers import anvil

    with anvil.running("--block-time", "1", "--slots-in-an-epoch", "1") as node:
        url = str(getattr(node.provider, "endpoint_uri", ""))
        yield read_rules({"chain": {"c1": {**_BLOCK, "rpc": [url]}}})["c1"]


@contextmanager
def _down() -> Iterator[ChainRules]:
    """A node that takes connections and never answers."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_take, args=(server, held), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        yield read_rules({"chain": {"c1": {**_BLOCK, "rpc": [url], "timeout": 60}}})["c1"]


def _take(server: socket.socket, held: list[socket.socket]) -> None:
    while True:
        try:
            held.append(server.accept()[0])
        except OSError:
            return


@contextmanager
def _anchoring(cast: Cast, rules: ChainRules, folder: Path) -> Iterator[None]:
    """The log's process, as threads: sealing every second, and anchoring."""
    from contracts.adapters.anchor_threads import AnchorThread
    from contracts.adapters.evm.chain import EvmChain
    from contracts.services import sequencing
    from core import clock, runtime

    ports: dict[str, Any] = chains.log_ports(cast.bench)
    ports |= {"chains": {"c1": EvmChain(rules)}, "senders": {"c1": chains.sender(folder)}}
    stopped = threading.Event()

    def seal() -> None:
        while not stopped.wait(1):
            sequencing.run_round(now=clock.now())

    with runtime.override(**ports):
        threads = [threading.Thread(target=seal, daemon=True), AnchorThread(rules, stopped)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stopped.set()
            threads[0].join(30)


if __name__ == "__main__":
    main()
