"""What is committed is what the sources compile to, byte for byte."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers.anvil import ROOT, toolchain

pytestmark = pytest.mark.chain
ARTIFACTS = ROOT / "contracts" / "artifacts"


def test_the_artifacts_are_what_the_sources_compile_to(tmp_path: Path) -> None:
    node, modules = shutil.which("node"), toolchain()
    assert node is not None
    build = ROOT / "contracts" / "solidity" / "build.mjs"

    done = subprocess.run(
        [node, str(build), str(modules), str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in ARTIFACTS.glob("*.json")}
    assert set(made) == {"AnchorLog.json", "RevocationBook.json"}
