"""A local EVM chain of its own for a test: anvil, from the cache that scripts/chain.sh fills."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from web3 import Web3
from web3.exceptions import Web3Exception

from config.local.addresses import free_port

#: Python's own. web3 raises it a hundredfold when it is imported, and JSON that is nested deeply
#: then ends the process instead of being refused.
sys.setrecursionlimit(1000)

ROOT: Final = Path(__file__).resolve().parents[2]
_PATIENCE: Final = 20.0


@cache
def toolchain() -> Path:
    """The folder with anvil, the compiler and the libraries; skips, or fails where required."""
    done = subprocess.run(
        [ROOT / "scripts" / "chain.sh"], capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode == 0:
        return Path(done.stdout.strip())
    if os.environ.get("LETHE_TEST_REQUIRE") == "1":
        pytest.fail(f"No local chain, and LETHE_TEST_REQUIRE=1 asks for one: {done.stderr[-500:]}")
    pytest.skip(f"needs Node.js and npm: {done.stderr[-200:]}")


@contextmanager
def running(*arguments: str) -> Iterator[Web3]:
    """A fresh chain with funded accounts, for the length of the block."""
    port = free_port()
    command = [
        str(toolchain() / "node_modules" / ".bin" / "anvil"), "--port", str(port), "--silent",
        "--hardfork", "prague", *arguments,
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        chain = Web3(Web3.HTTPProvider(f"http://127.0.0.1:{port}"))
        ends_at = time.monotonic() + _PATIENCE
        while not _answers(chain):
            assert process.poll() is None, process.stderr and process.stderr.read()[-500:]
            assert time.monotonic() < ends_at, "anvil does not answer"
            time.sleep(0.05)
        yield chain
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # npm's command has the chain as its child
        process.wait()


def _answers(chain: Web3) -> bool:
    try:
        return chain.is_connected()
    except (OSError, Web3Exception):
        return False
