"""`python -m bench.log --leaves 1048576`: the log's tree, its rows, its proofs."""

import argparse
import os
import resource
import secrets
import time
from collections.abc import Callable
from functools import partial
from statistics import median, quantiles
from typing import TypeVar

from bench import installation
from bench.reports import Report

T = TypeVar("T")
_PROOFS = 500
_MIB = 1 << 20


def main() -> None:
    """Measure, then report."""
    parser = argparse.ArgumentParser(prog="bench.log", description=__doc__)
    parser.add_argument("--leaves", type=int, default=1 << 20)
    leaves: int = parser.parse_args().leaves
    report = Report(f"log-{leaves}-leaves", 0, 0)
    _tree(report, leaves)
    with installation.running() as bench:
        _log(report, bench, leaves)
    report.write()


def _timed(act: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    answer = act()
    return time.perf_counter() - started, answer


def _tree(report: Report, leaves: int) -> None:
    """The tree alone, from entries to the root, in batches as the log seals them."""
    from contracts.domain import tree

    entries = [secrets.token_bytes(32) for _ in range(leaves)]
    before = _resident()
    edge, tiles, most = tree.Edge(), 0, 1 << 16

    def grow() -> bytes:
        nonlocal edge, tiles
        for first in range(0, leaves, most):
            edge, full = edge.grown(tree.hashes_of(entries[first : first + most]))
            tiles += len(full)
        return edge.root()

    seconds, _root = _timed(grow)
    report.add("tree of these leaves: hashes, tiles, root", "s", seconds)
    report.add("memory of that, beside the entries", "MiB", _resident() - before)
    report.add("tiles filled", "count", tiles)


def _log(report: Report, bench: installation.Bench, leaves: int) -> None:
    """The same with its rows in PostgreSQL, signed by a real Vault."""
    from contracts.services import checking, sequencing
    from core import clock, runtime
    from core.models import LeafInbox
    from vault.adapters.hashicorp.head_keeper import HashicorpHeadKeeper
    from vault.adapters.hashicorp.layout import Layout
    from vault.adapters.hashicorp.signer import HashicorpSigner

    _fill(leaves)
    client, layout = bench.client("loggerd"), Layout("lethe-")
    ports = {
        "signer": HashicorpSigner(client, layout, holder="loggerd"),
        "head_keeper": HashicorpHeadKeeper(client, layout),
    }
    rounds: list[float] = []
    with runtime.override(**ports):
        while LeafInbox.objects.exists():
            rounds.append(_timed(lambda: sequencing.run_round(now=clock.now()))[0])
        report.add("rounds of the log's process", "count", len(rounds))
        report.add("sealed, signed and published", "leaves/s", leaves / sum(rounds))
        report.add("a round of 65,536, P50", "s", median(rounds))
        small = [_timed(lambda: sequencing.run_round(now=clock.now()))[0] for _ in range(20)]
        report.add("a round of 64 in that log, P50", "ms", median(small) * 1000)
    _proofs(report)
    seconds, faults = _timed(lambda: list(checking.faults()))
    assert faults == []
    report.add("fsck_log", "s", seconds)
    report.add("memory of the process at its most", "MiB", _resident())


def _fill(leaves: int) -> None:
    from core.copying import copy_in
    from core.unit_of_work import unit_of_work

    with unit_of_work():
        copy_in(
            table="core_leafinbox",
            columns={"id": "uuid", "leaf": "bytea"},
            rows=((_uuid(), secrets.token_bytes(32)) for _ in range(leaves)),
        )


def _uuid() -> object:
    from core.ids import new_random

    return new_random()


def _made(leaf: bytes) -> str:
    from contracts.services import proofs

    return proofs.inclusion(leaf=leaf).text()


def _proofs(report: Report) -> None:
    from contracts.models import LogLeaf
    from contracts.verifier import log
    from core import signing_keys

    size = LogLeaf.objects.count()
    wanted = {secrets.randbelow(size) for _ in range(_PROOFS)}
    chosen = [bytes(row.leaf) for row in LogLeaf.objects.filter(index__in=wanted)]
    keys = {key["key_id"]: key for key in signing_keys.published()["keys"]}
    making: list[float] = []
    checking: list[float] = []
    for leaf in chosen:
        seconds, found = _timed(partial(_made, leaf))
        making.append(seconds * 1000)

        def verify(leaf: bytes = leaf, text: str = found) -> bool:
            entry = log.parse(text)
            assert entry is not None
            problems, _key = log.signature_problems(entry, keys)
            return not problems and not log.inclusion_problems(entry, leaf)

        seconds, is_good = _timed(verify)
        assert is_good
        checking.append(seconds * 1000)
    for name, times in (("a proof made", making), ("a proof verified", checking)):
        report.add(f"{name}, P50", "ms", median(times))
        report.add(f"{name}, P95", "ms", quantiles(times, n=20)[-1])


def _resident() -> float:
    """The most that this process ever had in memory, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / _MIB


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main()
