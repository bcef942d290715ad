import re
import subprocess

from tests.architecture import tree

SUITES = ("vault", "chain", "bft", "browser", "fault")
TARGETS = (
    "help", "setup", "demo", "test", "check", "bench", "fmt", "lint", "types", "imports", "lock",
    "doctor", *(f"test-{suite}" for suite in SUITES),
)  # fmt: skip


def _plan(*targets: str) -> str:
    return subprocess.run(
        ["make", "--dry-run", *targets], cwd=tree.ROOT, capture_output=True, text=True, check=True
    ).stdout


class TestMakefile:
    def test_has_the_promised_targets(self) -> None:
        for target in TARGETS:
            assert _plan(target), target

    def test_names_the_suites_that_pytest_knows(self) -> None:
        project = (tree.ROOT / "pyproject.toml").read_text(encoding="utf-8")

        for suite in SUITES:
            assert re.search(rf'^    "{suite}: ', project, re.MULTILINE), suite

    def test_is_what_ci_calls(self) -> None:
        ci = (tree.ROOT / ".ci" / "run").read_text(encoding="utf-8")

        assert "set -euo pipefail" in ci
        assert "export LETHE_TEST_REQUIRE=1" in ci
        assert ci.rstrip().endswith("make test")
