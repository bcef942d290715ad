"""Figures of one run, with the machine, the versions and the load beside them."""

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("django", "psycopg", "cryptography", "pycurl", "gunicorn", "orjson", "pyarrow")


class Report:
    """Collects rows, prints each as it comes, and writes them to bench/results/."""

    def __init__(self, name: str, subjects: int, records_per_subject: int) -> None:
        self.name, self.subjects = name, subjects
        self.records_per_subject = records_per_subject
        self._rows: list[dict[str, object]] = []

    def add(self, figure: str, unit: str, value: float, ceiling: float | None = None) -> None:
        """One figure; `ceiling` is what stands beside it, and their ratio is what to trust."""
        row: dict[str, object] = {"figure": figure, "unit": unit, "value": round(value, 2)}
        if ceiling:
            row |= {"ceiling": round(ceiling, 2), "ratio": round(value / ceiling, 3)}
        row["load"] = round(os.getloadavg()[0], 2)
        self._rows.append(row)
        print(row, flush=True)

    def write(self) -> None:
        """Write the rows under the day, the name and the number of subjects."""
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
            "subjects": self.subjects,
            "records_per_subject": self.records_per_subject,
            "rows": self._rows,
        }
        _RESULTS.mkdir(exist_ok=True)
        file = _RESULTS / f"{now:%Y-%m-%d}-{self.name}-{self.subjects}-subjects.json"
        file.write_text(json.dumps(result, indent=2) + "\n")
        print(f"written to bench/results/{file.name}")


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"
