"""`python -m bench.faults FOLDER`: the counts of a long fault run, added up and written down.

Fails when a named point of the vault was never broken off at.
"""

import json
import re
import sys
from collections import Counter
from pathlib import Path

from bench.reports import Report

_PROJECT = Path(__file__).resolve().parents[1]
_POINT = re.compile(r'failpoints\.reach\("(vault\.[a-z.-]+)"\)')
#: Reached where the state machine does not go: they have tests of their own.
_ELSEWHERE = (
    "vault.journal.segment-removed",
    "vault.journal.summary-written",
    "vault.prepared.made",
    "vault.refound.marked",
)


def main() -> None:
    """Read, add up, write."""
    folder = Path(sys.argv[1])
    faults, counts, seconds = Counter[str](), Counter[str](), 0
    for file in sorted(folder.glob("faults-*.json")):
        found = json.loads(file.read_text())
        faults += Counter(found["faults"])
        counts += Counter(found["counts"])
        seconds = max(seconds, found["seconds"])
    report = Report("faults", 0, 0)
    report.add("faults raised in process", "count", faults.total())
    report.add("their time", "s", seconds)
    for name, count in sorted(counts.items()):
        report.add(name, "count", count)
    for name, count in sorted(faults.items()):
        report.add(f"at {name}", "count", count)
    _kills(folder, report)
    report.write()
    missed = sorted(points() - set(faults) - set(_ELSEWHERE))
    if missed:
        sys.exit(f"never broken off at: {', '.join(missed)}")


def _kills(folder: Path, report: Report) -> None:
    file = folder / "kills.json"
    if not file.exists():
        return
    found = json.loads(file.read_text())
    report.add("processes killed", "count", sum(found["kills"].values()))
    report.add("their time", "s", found["seconds"])
    report.add("erasures completed once", "count", found["erasures"])
    for name, count in sorted(found["kills"].items()):
        report.add(f"killed at {name}", "count", count)


def points() -> set[str]:
    """The named points of the vault's services and adapters."""
    sources = (_PROJECT / "vault").rglob("*.py")
    return {name for source in sources for name in _POINT.findall(source.read_text())}


if __name__ == "__main__":
    main()
