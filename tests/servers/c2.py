"""The BFT chain of the tests: four validators of deploy/c2, which can be stopped and started."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from secrets import randbelow
from typing import Final

import pytest
import requests

ROOT: Final = Path(__file__).resolve().parents[2]
VALIDATORS: Final = 4
CHAIN_ID: Final = 4242
_BUILD: Final = 1800
_PATIENCE: Final = 60.0
_HALTED: Final = 5.0
_PORTS: Final = (0, 1, 5, 6)


@cache
def binary() -> Path:
    """The built node; skips, or fails where required."""
    done = subprocess.run(
        [ROOT / "scripts" / "c2.sh"], capture_output=True, text=True, check=False, timeout=_BUILD
    )
    if done.returncode == 0:
        return Path(done.stdout.strip())
    if os.environ.get("LETHE_TEST_REQUIRE") == "1":
        pytest.fail(f"No BFT chain, and LETHE_TEST_REQUIRE=1 asks for one: {done.stderr[-500:]}")
    pytest.skip(f"needs Go: {done.stderr[-200:]}")


@dataclass
class Network:
    """Validators by number, 0 to 3, on loopback."""

    folder: Path
    base: int
    _running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def url(self, number: int) -> str:
        """A validator's JSON-RPC."""
        return f"http://127.0.0.1:{self.base + 10 * number + 5}"

    def start(self, *numbers: int) -> None:
        """Start validators from what they have on disk."""
        for number in numbers:
            home = self.folder / f"node{number}"
            with (home / "log").open("ab") as log:
                self._running[number] = subprocess.Popen(
                    [binary(), "start", "--home", home, "--log_no_color", "--stop-at-eof"],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )

    def stop(self, *numbers: int, kill: bool = False) -> None:
        """End validators, and wait until they have ended."""
        children = [self._running.pop(number) for number in numbers if number in self._running]
        for child in children:
            child.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        for child in children:
            try:
                child.wait(timeout=15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdin is not None:
                child.stdin.close()

    def make_whole(self) -> None:
        """Start whoever does not run, and wait until all have the newest block."""
        self.start(*(number for number in range(VALIDATORS) if number not in self._running))
        self.grow()
        self.wait_for(max(self.height(number) or 0 for number in range(VALIDATORS)))

    def stop_all(self) -> None:
        """End every validator that runs."""
        self.stop(*list(self._running))

    def height(self, number: int = 0) -> int | None:
        """The newest block of a validator; None while it does not answer."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
        try:
            return int(requests.post(self.url(number), json=body, timeout=3).json()["result"], 16)
        except (requests.RequestException, KeyError, ValueError):
            return None

    def wait_for(self, height: int, *numbers: int) -> None:
        """Until each of the validators has this block."""
        wanted = numbers or tuple(range(VALIDATORS))
        wait_until(
            lambda: all((self.height(number) or 0) >= height for number in wanted),
            f"not every validator of {wanted} reaches block {height}",
        )

    def grow(self, count: int = 2, at: int = 0) -> None:
        """Until so many blocks more have been made."""
        before = self.height(at) or 0
        self.wait_for(before + count, at)

    def wait_for_halt(self, at: int = 0) -> None:
        """Until no block comes in as much time as five take with one validator down."""
        ends_at = time.monotonic() + _PATIENCE
        height, since = self.height(at), time.monotonic()
        while time.monotonic() - since < _HALTED:
            assert time.monotonic() < ends_at, "the chain goes on"
            time.sleep(0.05)
            if (newest := self.height(at)) != height:
                height, since = newest, time.monotonic()


def wait_until(holds: Callable[[], bool], complaint: str, patience: float = _PATIENCE) -> None:
    """Look until it holds; fail with `complaint`."""
    ends_at = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < ends_at, complaint
        time.sleep(0.05)


@contextmanager
def running(
    folder: Path, *, deployer: str, funded: Mapping[str, int], block_time: str = "200ms"
) -> Iterator[Network]:
    """A fresh chain that makes blocks, where `deployer` alone creates contracts.

    `funded` maps addresses to wei.
    """
    network = Network(folder / "net", _free_base())
    subprocess.run(
        [
            binary(), "testnet", "--out", network.folder, "--base-port", str(network.base),
            "--evm-chain-id", str(CHAIN_ID), "--deployer", deployer, "--block-time", block_time,
            "--fund", ",".join(f"{address}={wei}" for address, wei in funded.items()),
        ],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    try:
        network.start(*range(VALIDATORS))
        network.wait_for(1)
        yield network
    finally:
        network.stop_all()


def _free_base() -> int:
    """A number from which on every port of a network is free."""
    while True:
        base = 20_000 + 100 * randbelow(100)
        if all(_is_free(base + 10 * node + port) for node in range(VALIDATORS) for port in _PORTS):
            return base


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
