"""`make bench`: run everything once, print a table, write bench/results/."""

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import ceilings, erasures, ingest, installation, measurements, people

_RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("django", "psycopg", "cryptography", "pycurl", "gunicorn", "orjson")


def main() -> None:
    """Measure, then report."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--subjects", type=int, default=2_000)
    parser.add_argument("--records-per-subject", type=int, default=5)
    parser.add_argument("--ingest-only", action="store_true")
    options = parser.parse_args()
    with installation.running() as bench:
        cast = people.make(bench)
        rows = measure(
            cast,
            options.subjects,
            options.records_per_subject,
            is_ingest_only=options.ingest_only,
        )
    report(rows, options)


def measure(
    cast: people.Cast, subjects: int, each: int, *, is_ingest_only: bool = False
) -> list[dict[str, object]]:
    """One row per figure: name, unit, value, ceiling and their ratio."""
    names = [f"synthetic-{number}" for number in range(subjects)]
    rows: list[dict[str, object]] = []

    def add(
        name: str, unit: str, value: float, ceiling: float | None = None, **more: float
    ) -> None:
        row: dict[str, object] = {"figure": name, "unit": unit, "value": round(value, 2)}
        if ceiling:
            row |= {"ceiling": round(ceiling, 2), "ratio": round(value / ceiling, 3)}
        row |= more
        row["load"] = round(os.getloadavg()[0], 2)
        rows.append(row)
        print(row, flush=True)

    installation.open_gate()
    store = ceilings.key_store()
    ingest.figures(cast, names, each, store, add)
    if is_ingest_only:
        return rows
    _attach_stream(cast)
    cold, count = measurements.stream(cast)
    assert count >= subjects * each, (count, subjects * each)
    add("stream cold", "subjects/s", cold / each, store["read"])
    warm, _ = max(measurements.stream(cast) for _ in range(3))
    add("stream warm", "records/s", warm, ceilings.stream_warm(cast))
    singles = measurements.single_reads(cast, 300)
    floor = ceilings.single_read(cast)
    for name, (value, flush) in singles.items():
        add(f"single read {name} (floor beside it)", "ms", value, floor)
        add(f"one flush to disk {name}, between the reads", "ms", flush)
    erasures.erase(cast, add)
    return rows


def _attach_stream(cast: people.Cast) -> None:
    """Give the stream process a credential for the one purpose, and start it."""
    from vault.services import purpose_keys

    administration = cast.bench.administration
    key = purpose_keys.wrapping_key(cast.purpose_id)
    administration.attach(stream="bench", purposes=[key])
    held = administration.issue("stream-bench").environment()
    cast.bench.credentials["stream"] = held
    cast.bench.start("stream")


def report(rows: list[dict[str, object]], options: argparse.Namespace) -> None:
    """Write the rows with machine and versions."""
    now = datetime.now(UTC)
    result = {
        "at": now.isoformat(timespec="seconds"),
        "machine": {
            "cpus": os.cpu_count(),
            "model": _model(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "versions": {name: version(name) for name in _PACKAGES},
        "subjects": options.subjects,
        "records_per_subject": options.records_per_subject,
        "rows": rows,
    }
    _RESULTS.mkdir(exist_ok=True)
    part = "-ingest" if options.ingest_only else ""
    file = _RESULTS / f"{now:%Y-%m-%d}-{options.subjects}-subjects{part}.json"
    file.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written to bench/results/{file.name}")


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


if __name__ == "__main__":
    main()
