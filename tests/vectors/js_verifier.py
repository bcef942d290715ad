"""Runs the verifier in JavaScript as a user would, and reads what it says."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

CLI = Path(__file__).parents[2] / "contracts" / "verifier_js" / "cli.mjs"
NODE = shutil.which("node")
NEEDS_NODE = pytest.mark.skipif(
    NODE is None and os.environ.get("LETHE_TEST_REQUIRE") != "1", reason="needs Node.js"
)


def run(*arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    assert NODE is not None, "LETHE_TEST_REQUIRE=1 and no Node.js"
    return subprocess.run(
        [NODE, "--no-warnings", str(CLI), *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def evaluate(source: str) -> Any:
    """What the text of a module, which imports from the verifier's `FOLDER`, prints as JSON."""
    assert NODE is not None, "LETHE_TEST_REQUIRE=1 and no Node.js"
    text = source.replace("FOLDER", CLI.parent.as_uri())
    command = [NODE, "--no-warnings", "--input-type=module", "-e", text]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)


def told(files: Sequence[bytes], folder: Path, *arguments: str | Path) -> list[dict[str, Any]]:
    """What it says of each file, in one run."""
    names = []
    for number, content in enumerate(files):
        names.append(folder / f"{number}.bin")
        names[-1].write_bytes(content)
    done = run("--lines", *arguments, text="".join(f"{name}\n" for name in names))
    assert (done.returncode, done.stderr) == (0, "")
    found: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(files)
    return found


def levels(report: dict[str, Any]) -> str:
    """A letter for each level: holds, not shown, fails."""
    marks = {"holds": "h", "not-shown": "n", "fails": "f"}
    return "".join(marks[report["levels"][level]] for level in "0123")


def failed(report: dict[str, Any]) -> list[str]:
    return [check["check"] for check in report["checks"] if not check["passed"]]


#: Changes what it is given.
Change = Callable[[Any], object]


def put(*path: Any) -> Change:
    """Set the last item at the place that the others name."""

    def change(content: Any) -> None:
        for key in path[:-2]:
            content = content[key]
        content[path[-2]] = path[-1]

    return change


def drop(*path: Any) -> Change:
    def change(content: Any) -> None:
        for key in path[:-1]:
            content = content[key]
        del content[path[-1]]

    return change
