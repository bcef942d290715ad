import json
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.verifier import __main__ as command

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "vectors" / "certificate-v1.json"


def _run(*arguments: str, isolated: bool = True) -> subprocess.CompletedProcess[str]:
    # -S leaves site-packages out: what a bare Python has.
    flags = ["-S"] if isolated else []
    return subprocess.run(
        [sys.executable, *flags, "-m", "contracts.verifier", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class TestCommand:
    @pytest.mark.parametrize("isolated", [True, False], ids=["bare-python", "with-cryptography"])
    def test_answers_0_for_a_valid_certificate(self, *, isolated: bool) -> None:
        done = _run(str(GOLDEN), isolated=isolated)

        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("VALID: interim erasure certificate.")
        assert "Not proven:" in done.stdout
        assert "anonym" not in done.stdout

    def test_answers_1_for_a_changed_certificate(self, tmp_path: Path) -> None:
        changed = json.loads(GOLDEN.read_text())
        changed["envelope"]["signatures"][0]["sig"] = "AAAA" * 21 + "AA=="
        path = tmp_path / "changed.json"
        path.write_text(json.dumps(changed))

        done = _run(str(path), "--json")

        verdict = json.loads(done.stdout)
        assert done.returncode == 1
        assert verdict["verdict"] == "invalid"
        assert verdict["statement"] is None

    @pytest.mark.parametrize("name", ["absent.json", "."], ids=["absent", "folder"])
    def test_answers_2_for_a_file_that_cannot_be_read(self, name: str) -> None:
        done = _run(name)

        assert done.returncode == 2
        assert done.stdout.startswith("UNREADABLE")
        assert "Traceback" not in done.stderr

    def test_answers_2_for_wrong_usage(self) -> None:
        assert _run().returncode == 2

    def test_reads_no_more_than_its_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(command, "_LIMIT", 100)

        assert command.main([str(GOLDEN)]) == 2

    def test_prints_the_statement_for_machines(self, capsys: pytest.CaptureFixture[str]) -> None:
        status = command.main([str(GOLDEN), "--json"])

        verdict = json.loads(capsys.readouterr().out)
        assert status == 0
        assert verdict["verdict"] == "valid"
        assert verdict["statement"]["kind"] == "interim"
        assert verdict["keys_from"] == "file"
        assert verdict["statement"]["journal"]["sequence"] == 12
