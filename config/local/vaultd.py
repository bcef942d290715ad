"""Starts and stops vaultd, the Vault server of tests and of trying the product.

Never for production: plain HTTP on loopback, and whoever starts it holds its unseal key.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from config.local.addresses import NotPossible, free_port

_BUILD: Final = Path(__file__).resolve().parents[2] / "deploy" / "testing" / "vaultd" / "build.sh"
_PATIENCE: Final = 30.0
_POLL: Final = 0.05
_ACTIVE, _STANDBY, _UNINITIALISED, _SEALED = 200, 429, 501, 503


def binary() -> Path:
    """The built server, built first when it is not in the cache. Raises NotPossible."""
    run = subprocess.run([_BUILD], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        said = run.stderr.strip().splitlines() or ["vaultd: the build failed."]
        raise NotPossible(said[-1])
    return Path(run.stdout.strip())


@dataclass(frozen=True, slots=True)
class Keys:
    """What sys/init answers; whoever has it has everything in the store."""

    unseal: str = field(repr=False)
    root: str = field(repr=False)


class Vaultd:
    """One node. With `data` it is raft on that directory, else it forgets all when it ends."""

    def __init__(
        self, program: Path, *, data: Path | None = None, node: str = "n0", raw: bool = False
    ) -> None:
        """With `data`, the server's own output goes to `vaultd.log` in that directory."""
        self.node, self.data = node, data
        self.address = f"http://127.0.0.1:{free_port()}"
        self._command = [
            str(program),
            *("-listen", self.address.removeprefix("http://")),
            *("-cluster", f"127.0.0.1:{free_port()}"),
            *("-node", node, "-stop-at-eof"),
            *(["-data", str(data)] if data else []),
            *(["-raw"] if raw else []),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process and wait until it answers. Raises NotPossible."""
        log: int | Path = subprocess.DEVNULL
        if self.data:
            self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
            log = self.data / "vaultd.log"
        with contextlib.ExitStack() as files:
            output = files.enter_context(log.open("ab")) if isinstance(log, Path) else log
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,  # closed when we end, however we end; then it ends too
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._wait_for(_ACTIVE, _STANDBY, _UNINITIALISED, _SEALED)

    def initialise(self) -> Keys:
        """Make a new store with one unseal key. Raises NotPossible when there is one."""
        answer = self.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        return Keys(unseal=answer["keys"][0], root=answer["root_token"])

    def unseal(self, keys: Keys) -> None:
        """Unseal, and wait until this node is active or a standby of an active one."""
        ends_at = time.monotonic() + _PATIENCE
        while self.health() not in {_ACTIVE, _STANDBY}:
            with contextlib.suppress(NotPossible):  # refused while an election goes on
                self.call("PUT", "sys/unseal", {"key": keys.unseal})
            if time.monotonic() > ends_at:
                raise NotPossible("vaultd does not unseal; see vaultd.log.")
            time.sleep(_POLL)

    def seal(self, token: str) -> None:
        """Seal, as an operator does in an emergency."""
        self.call("PUT", "sys/seal", {}, token=token)

    def join(self, leader: "Vaultd") -> None:
        """Join the cluster of `leader`, before the first unsealing of this node."""
        self.call("POST", "sys/storage/raft/join", {"leader_api_addr": leader.address})

    def audit_to(self, path: Path, *, token: str) -> None:
        """Turn on the file audit device."""
        options = {"type": "file", "options": {"file_path": str(path)}}
        self.call("PUT", "sys/audit/file", options, token=token)

    def kill(self) -> None:
        """End the process as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the process in order; no error when it is not running."""
        self._end(signal.SIGTERM)

    def health(self) -> int:
        """Status of sys/health: 200 active, 429 standby, 501 new, 503 sealed, 0 no answer."""
        try:
            with urllib.request.urlopen(f"{self.address}/v1/sys/health", timeout=5) as answer:  # noqa: S310 - our own loopback address
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def call(
        self, method: str, path: str, body: object = None, *, token: str | None = None
    ) -> dict[str, Any]:
        """One administrative call. Raises NotPossible, with the status and never a body."""
        request = urllib.request.Request(  # noqa: S310 - our own loopback address
            f"{self.address}/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Vault-Token": token} if token else {},
        )
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310 - as above
                value = json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise NotPossible(f"vaultd answers {error.code} to {path}.") from None
        except OSError:
            raise NotPossible(f"vaultd does not answer to {path}.") from None
        return value if isinstance(value, dict) else {}

    def _wait_for(self, *statuses: int) -> None:
        ends_at = time.monotonic() + _PATIENCE
        while self.health() not in statuses:
            if self._process is None or self._process.poll() is not None:
                raise NotPossible("vaultd ended at once; see vaultd.log.")
            if time.monotonic() > ends_at:
                raise NotPossible("vaultd does not answer; see vaultd.log.")
            time.sleep(_POLL)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            os.kill(process.pid, number)
        try:
            process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()


class Cluster:
    """Nodes of one raft store on this machine; the first one starts as the leader."""

    def __init__(self, program: Path, *, data: Path, size: int = 3) -> None:
        self.nodes = [
            Vaultd(program, data=data / f"n{number}", node=f"n{number}") for number in range(size)
        ]
        self.keys: Keys | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start every node; make and join the store the first time, unseal it every time."""
        for node in self.nodes:
            node.start()
        first, *others = self.nodes
        is_new = self.keys is None
        self.keys = self.keys or first.initialise()
        first.unseal(self.keys)
        if is_new:
            settings = {"server_stabilization_time": "1s"}
            path = "sys/storage/raft/autopilot/configuration"
            first.call("POST", path, settings, token=self.keys.root)
        for node in others:
            if is_new:
                node.join(first)
            node.unseal(self.keys)
        self._wait_for_voters(self.keys.root)

    def stop(self) -> None:
        """Stop every node."""
        for node in self.nodes:
            node.stop()

    def leader(self) -> Vaultd:
        """The node that is active now; waits for an election. Raises NotPossible."""
        ends_at = time.monotonic() + _PATIENCE
        while time.monotonic() < ends_at:
            for node in self.nodes:
                if node.health() == _ACTIVE:
                    return node
            time.sleep(_POLL)
        raise NotPossible("No node of the cluster became the leader.")

    def _wait_for_voters(self, token: str) -> None:
        """Until every node votes, the death of one may stop the cluster."""
        ends_at = time.monotonic() + _PATIENCE
        while time.monotonic() < ends_at:
            leader = self.leader()
            answer = leader.call("GET", "sys/storage/raft/configuration", token=token)
            servers = answer["data"]["config"]["servers"]
            if len(servers) == len(self.nodes) and all(server["voter"] for server in servers):
                return
            time.sleep(_POLL)
        raise NotPossible("Not every node of the cluster became a voter.")
