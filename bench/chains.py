"""`python -m bench.chains`: how long a head takes to be final on both local chains.

C1 is anvil with a block a second, whose finalized block lies two behind; C2 the four-validator BFT
chain with half a second between blocks. On a public chain the time is the chain's own: read these
as what the pipeline adds to it.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import installation
from bench.reports import Report
from contracts.domain.chain_rules import ChainRules, read_rules
from contracts.ports import Sender

_POLL = 0.1
_COINS = 10**18
#: Keys that anvil funds on every machine; worth nothing anywhere.
_COLD = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
_HOT = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"


@dataclass(frozen=True, slots=True)
class Local:
    """A chain that runs, and how long it takes by itself: seconds from a block to a final one."""

    rules: ChainRules
    own: float


def main() -> None:
    """Measure, then report."""
    parser = argparse.ArgumentParser(prog="bench.chains", description=__doc__)
    parser.add_argument("--anchors", type=int, default=20)
    anchors: int = parser.parse_args().anchors
    report = Report("chains", 0, 0)
    with tempfile.TemporaryDirectory() as folder, installation.running() as bench:
        for name, chain in (("C1", _public), ("C2", _permissioned)):
            with chain(Path(folder)) as local:
                _measure(report, bench, name, local, Path(folder), anchors)
    report.write()


@contextmanager
def _public(_folder: Path) -> Iterator[Local]:
    from tests.servers import anvil

    with anvil.running("--block-time", "1", "--slots-in-an-epoch", "1") as node:
        url = str(getattr(node.provider, "endpoint_uri", ""))
        block = {"rpc": [url], "chain-id": 31337, "finality": "tag", "max-fee-gwei": 100}
        yield Local(read_rules({"chain": {"c1": block}})["c1"], 3.0)


@contextmanager
def _permissioned(folder: Path) -> Iterator[Local]:
    from eth_account import Account

    from tests.servers import c2

    cold, hot = (Account.from_key(key).address for key in (_COLD, _HOT))
    funded = {cold: _COINS, hot: _COINS}
    with c2.running(folder, deployer=cold, funded=funded, block_time="500ms") as network:
        block = {"rpc": [network.url(0)], "chain-id": c2.CHAIN_ID, "finality": "instant"}
        yield Local(read_rules({"chain": {"c2": block}})["c2"], 0.5)


def _measure(
    report: Report, bench: installation.Bench, name: str, local: Local, folder: Path, anchors: int
) -> None:
    """One head after the other: from the round that signs it to the one that finds it final."""
    from contracts.adapters.evm.chain import EvmChain
    from contracts.models import ChainAnchor
    from contracts.services import anchoring, sequencing
    from core import clock, runtime

    payer, chain = sender(folder), local.rules.name
    deploy(local.rules, folder, payer.address)
    ports = log_ports(bench)
    ports |= {"chains": {chain: EvmChain(local.rules)}, "senders": {chain: payer}}

    def is_final() -> bool:
        anchoring.run_round(chain, now=clock.now())
        return bool(ChainAnchor.objects.filter(chain=chain).latest("pk").state == "final")

    seconds: list[float] = []
    with runtime.override(**ports):
        for _ in range(anchors):
            sequencing.run_round(now=clock.now())
            started = time.perf_counter()
            anchoring.run_round(chain, now=clock.now(), with_log=True)
            _until(is_final)
            seconds.append(time.perf_counter() - started)
    report.add(f"{name}: signed to final, P50 (the chain's own beside it)", "s", median(seconds),
               local.own)  # fmt: skip
    report.add(f"{name}: signed to final, at most", "s", max(seconds))


def log_ports(bench: installation.Bench) -> dict[str, Any]:
    """The log's own ports, by the credential of its process."""
    from vault.adapters.hashicorp.head_keeper import HashicorpHeadKeeper
    from vault.adapters.hashicorp.layout import Layout
    from vault.adapters.hashicorp.signer import HashicorpSigner

    client, layout = bench.client("loggerd"), Layout("lethe-")
    return {
        "signer": HashicorpSigner(client, layout, holder="loggerd"),
        "head_keeper": HashicorpHeadKeeper(client, layout),
    }


def sender(folder: Path) -> Sender:
    """The account that pays."""
    from contracts.adapters.evm.sender import KeystoreSender

    return KeystoreSender(_keystore(folder, _HOT), "bench")


def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(_POLL)


def deploy(rules: ChainRules, folder: Path, holder: str) -> None:
    """AnchorLog, with `holder` as the one that anchors."""
    from contracts.adapters.evm.deployer import Deployer
    from contracts.services import deploying
    from core import clock
    from core.actors import Actor

    made = Deployer(rules, _keystore(folder, _COLD), "bench").deploy("AnchorLog", holder=holder)
    actor = Actor("process:bench", "process", None)
    deploying.record(rules.name, made, operator=actor, now=clock.now())


def _keystore(folder: Path, key: str) -> Path:
    from eth_account import Account
    from eth_typing import HexStr

    made = Account.encrypt(HexStr(key), "bench", kdf="pbkdf2", iterations=2)
    path = folder / f"{made['address']}.json"
    path.write_text(json.dumps(made))
    path.chmod(0o600)
    return path


if __name__ == "__main__":
    main()
