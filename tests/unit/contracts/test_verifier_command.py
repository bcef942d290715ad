import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.services import single_file
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


class TestSingleFile:
    """What a bundle brings as verify.py."""

    def test_is_written_for_python_3_9(self) -> None:
        ast.parse(single_file.verifier(), feature_version=(3, 9))
        for file in (ROOT / "contracts" / "verifier").glob("*.py"):
            ast.parse(file.read_text(), feature_version=(3, 9))

    def test_says_what_the_package_says(self, tmp_path: Path) -> None:
        program = tmp_path / "verify.py"
        program.write_text(single_file.verifier())
        vectors = [GOLDEN.with_name("bundle-v1.zip"), GOLDEN.with_name("receipt-v1-consent.json")]

        for vector in [*vectors, GOLDEN]:
            done = subprocess.run(
                [sys.executable, "-I", "-S", str(program), str(vector), "--json"],
                cwd=tmp_path, env={}, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.stdout == _run(str(vector), "--json").stdout
            assert json.loads(done.stdout)["verdict"] == "valid"


class TestStatus:
    """The lowest level that fails, or is asked for and not shown."""

    @pytest.mark.parametrize(
        ("name", "arguments", "status"),
        [
            ("bundle-v1.zip", [], 0),
            ("bundle-v1.zip", ["--level", "3"], 0),
            ("bundle-v1.zip", ["--level", "2"], 12),
            ("certificate-v1.json", ["--level", "1"], 11),
            ("certificate-v1-logged.json", ["--level", "3"], 13),
            ("receipt-v1-lease-open.json", ["--level", "2"], 11),
        ],
    )
    def test_tells_what_is_not_shown(self, name: str, arguments: list[str], status: int) -> None:
        assert command.main([str(GOLDEN.with_name(name)), *arguments]) == status

    def test_is_0_with_the_hash_of_a_block_that_the_file_proves(self) -> None:
        file = GOLDEN.with_name("certificate-v1-anchored.json")
        (block, _) = json.loads(file.read_text())["log"]["anchors"]

        for hash_, status in ((block["block_hash"], 0), ("0x" + block["block_hash"].upper(), 0),
                              ("00" * 32, 12)):  # fmt: skip
            asked = ["--level", "2", "--block-hash", hash_]
            assert command.main([str(file), *asked]) == status


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

    def test_writes_tokens_out_for_openssl(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = GOLDEN.with_name("certificate-v1-stamped.json")

        assert command.main([str(file), "--stamps", str(tmp_path)]) == 0

        assert (tmp_path / "stamp-1.der").read_bytes() == GOLDEN.with_name(
            "stamp-v1.der"
        ).read_bytes()
        assert (tmp_path / "stamp-1.txt").read_text().startswith("log.example/synthetic\n67\n")
        assert "openssl ts -verify -token_in" in capsys.readouterr().err

    def test_prints_the_statement_for_machines(self, capsys: pytest.CaptureFixture[str]) -> None:
        status = command.main([str(GOLDEN), "--json"])

        verdict = json.loads(capsys.readouterr().out)
        assert status == 0
        assert verdict["verdict"] == "valid"
        assert verdict["statement"]["kind"] == "interim"
        assert verdict["keys_from"] == "file"
        assert verdict["statement"]["journal"]["sequence"] == 12
