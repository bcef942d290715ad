"""The demo as a newcomer starts it, on a part of the table."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from config.local.addresses import free_port
from tests.architecture.tree import ROOT

CHAPTERS = [
    "1. What is kept, and what it may be read for",
    "2. Records go in",
    "3. People decide about health-research",
    "4. A pipeline reads, for one purpose",
    "5. Somebody withdraws while the pipeline is reading",
    "6. Somebody asks for erasure",
    "7. The same reads again",
    "8. The old backup",
    "9. The certificate",
    "10. The bundle for an authority",
    "11. The person's own receipt",
    "12. Three in the morning: the database is lost",
    "13. The replay",
    "14. The log",
]
SAID = [
    "  Their records, read by the source: 410 erased",
    "  What the product answers on that copy: 503 restore-replay-required",
    "  VALID: interim erasure certificate.",
    "  ok    log: inclusion",
    "  ok    log: head",
    "  VALID: bundle of 2 documents.",
    "    1  holds      in the log",
    "    3  holds      log tells the same story",
    "  VALID: consent receipt.",
    "  /readyz: the gate is closed, database-behind",
    "  A subject's records, read by the source: 503 restore-replay-required",
    "  The lease that was open, on the stream: 503 restore-replay-required",
    "  $ LETHE_PROCESS=eraser manage.py replay_journal",
    "      destruction: 1",
    "  $ LETHE_PROCESS=attester manage.py replay_journal",
    "    1 key shares were read back; none lives.",
    "    database-behind: The database lacks entries that the log may have published.",
]
#: Where there is npm.
SAID_OF_CHAIN = [
    "  ok    log: anchored heads",
    "  ok    chain",
    "    2  holds      anchored on a chain",
    "  $ manage.py chain_resume --chain local --operator kim@demo.example",
    "    Anchoring on local goes on after sender-ahead.",
]
#: Participants differ by the part of the table that is taken.
SAID_OF_SOMEBODY = [
    r"  Participant \d+ withdraws all the same: 201, taken",
    r"  Participant \d+, who was erased: 410 erased",
    r"  Participant \d+, last decision: withdrawn",
    r"  Subjects read: \d+, and none of those 3",
]


def _environment(folder: Path, **more: str) -> Mapping[str, str]:
    """A newcomer's: nothing of the test run's own settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name == "LETHE_CACHE"
        or not name.startswith(("LETHE_", "DATABASE_", "DJANGO_", "VAULT_"))
    }
    return {
        **kept,
        "LETHE_DEMO_DIR": str(folder),
        "LETHE_DEMO_PORT": str(free_port()),
        "LETHE_DEMO_STREAM_PORT": str(free_port()),
        "LETHE_DEMO_ROWS": "120",
        **more,
    }


def _start(environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "config.local.demo"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _play(environment: Mapping[str, str]) -> tuple[int, str]:
    demo = _start(environment)
    said, _ = demo.communicate(timeout=420)
    return demo.returncode, said


@pytest.mark.long
@pytest.mark.timeout(900)
class TestDemo:
    def test_tells_its_story_twice_in_a_row_and_ends_with_zero(self, tmp_path: Path) -> None:
        environment = _environment(tmp_path / "demo", LETHE_DEMO_EXIT="1")
        for _ in range(2):
            status, said = _play(environment)

            assert status == 0, said
            lines = said.splitlines()
            assert [line for line in lines if line in CHAPTERS] == CHAPTERS, said
            assert [line for line in SAID if line not in lines] == [], said
            for pattern in SAID_OF_SOMEBODY:
                assert any(re.fullmatch(pattern, line) for line in lines), pattern
            assert "ended with status" not in said
            if os.environ.get("LETHE_TEST_REQUIRE") == "1":
                assert "Key store: HashiCorp Vault" in said
                assert [line for line in SAID_OF_CHAIN if line not in lines] == [], said
        certificate = json.loads((tmp_path / "demo" / "certificate.json").read_text())
        assert certificate["envelope"]["signatures"]

    def test_tells_it_on_the_keyring_with_a_warning(self, tmp_path: Path) -> None:
        nothing_built = {"LETHE_CACHE": str(tmp_path / "cache"), "PATH": "/usr/bin:/bin"}
        status, said = _play(_environment(tmp_path / "demo", LETHE_DEMO_EXIT="1", **nothing_built))

        assert status == 0, said
        assert "This is a stand-in" in said
        assert [line for line in SAID if line not in said.splitlines()] == [], said

    def test_stays_up_until_ctrl_c_and_leaves_nothing_running(self, tmp_path: Path) -> None:
        environment = _environment(tmp_path / "demo")
        demo = _start(environment)
        assert demo.stdout is not None
        for line in demo.stdout:
            if "Ctrl-C" in line:
                break
        port = int(environment["LETHE_DEMO_PORT"])
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass

        demo.send_signal(signal.SIGINT)

        assert demo.wait(timeout=120) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


class TestTrouble:
    def test_is_said_in_one_line_when_a_port_is_in_use(self, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            status, said = _play(_environment(tmp_path, LETHE_DEMO_STREAM_PORT=port))

        assert status == 1
        assert said.splitlines() == [
            f"Port {port} is in use. Choose another: LETHE_DEMO_STREAM_PORT=<port> make demo"
        ]

    def test_is_said_in_one_line_when_a_vault_has_no_token(self, tmp_path: Path) -> None:
        given = {"LETHE_VAULT_ADDR": "http://127.0.0.1:9", "LETHE_DEMO_EXIT": "1"}
        status, said = _play(_environment(tmp_path / "demo", **given))

        assert status == 1
        assert said.splitlines()[-1].startswith("LETHE_VAULT_ADDR is set; also set VAULT_TOKEN")

    def test_is_said_in_one_line_when_a_port_is_no_number(self, tmp_path: Path) -> None:
        status, said = _play(_environment(tmp_path, LETHE_DEMO_PORT="http"))

        assert (status, said) == (1, "LETHE_DEMO_PORT must be a port number.\n")
