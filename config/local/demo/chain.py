"""A public-type chain on this machine for the demo, and the log's contract on it."""

import secrets
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import requests

from config.local.addresses import NotPossible, free_port
from config.local.supervisor import Program, Supervisor, bare_environment

if TYPE_CHECKING:
    from config.local.demo.install import Install

NAME: Final = "local"
CHAIN_ID: Final = 31337
_PATIENCE: Final = 20.0
_INSTALL: Final = 300
_COINS: Final = 10**18


@dataclass(frozen=True, slots=True)
class Chain:
    """Where its node answers, and the file that LETHE_CHAINS names."""

    url: str
    configuration: Path
    node: Path


def find(project: Path, folder: Path) -> Chain | None:
    """The node from the cache, installed by npm at first; None where there is no npm."""
    try:
        done = subprocess.run(
            [project / "scripts" / "chain.sh"], capture_output=True, text=True, check=False,
            timeout=_INSTALL, start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        return None
    node = Path(done.stdout.strip()) / "node_modules" / ".bin" / "anvil"
    url = f"http://127.0.0.1:{free_port()}"
    return Chain(url, folder / "chains.toml", node)


def start(chain: Chain, supervisor: Supervisor) -> None:
    """A block a second, final after two more. Raises NotPossible."""
    command = [
        str(chain.node), "--silent", f"--port={chain.url.rpartition(':')[2]}", "--block-time=1",
        "--slots-in-an-epoch=1", f"--chain-id={CHAIN_ID}",
    ]  # fmt: skip
    supervisor.start(Program("chain", command, bare_environment()), directory=chain.node.parent)
    ends_at = time.monotonic() + _PATIENCE
    while not _answers(chain):
        if time.monotonic() > ends_at or not supervisor.is_running("chain"):
            raise NotPossible(f"The local chain did not start; see {supervisor.log('chain')}")
        time.sleep(0.1)


def deploy(chain: Chain, install: "Install", operator: str) -> str:
    """Make both keys, fund them, deploy the contract; the last line that was printed."""
    folder = chain.configuration.parent
    password = folder / "chain-password"
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(24))
    keys = {name: folder / f"chain-{name}.json" for name in ("sender", "cold")}
    chain.configuration.write_text(
        f'[chain.{NAME}]\nrpc = ["{chain.url}"]\nchain-id = {CHAIN_ID}\nfinality = "tag"\n'
        f'every = 3\npoll = 0.5\nkeystore = "{keys["sender"]}"\npassword-file = "{password}"\n'
    )
    for file in keys.values():
        printed = install.manage("loggerd", "chain_keystore", str(file), _option(password))
        _ask(chain, "anvil_setBalance", [printed[0], hex(_COINS)])
    return install.manage(
        "loggerd", "chain_deploy", f"--chain={NAME}", f"--keystore={keys['cold']}",
        _option(password), f"--operator={operator}",
    )[-1]  # fmt: skip


def _option(password: Path) -> str:
    return f"--password-file={password}"


def _answers(chain: Chain) -> bool:
    try:
        return bool(_ask(chain, "eth_chainId", []))
    except requests.RequestException:
        return False


def _ask(chain: Chain, method: str, parameters: list[str]) -> object:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    answer: object = requests.post(chain.url, json=body, timeout=5).json().get("result")
    return answer
