"""The pipeline on a real anvil: batches, rounds, blocks, re-orgs, in short verbs."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from eth_account import Account
from eth_typing import HexStr
from web3 import Web3
from web3.types import RPCEndpoint

from contracts.adapters.evm.chain import EvmChain
from contracts.adapters.evm.deployer import Deployer
from contracts.adapters.evm.sender import KeystoreSender
from contracts.domain.anchors import State, log_stream
from contracts.domain.chain_rules import ChainRules, read_rules
from contracts.errors import ChainUnavailable
from contracts.models import ChainAnchor, ChainAttempt, ChainContract, LogBatch
from contracts.ports import Answer
from contracts.services import anchoring, deploying, publishing, resuming, sequencing
from core.actors import Actor

#: Keys that anvil funds on every machine; worth nothing anywhere.
COLD = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
HOT = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
PASSWORD: Final = "for-tests"
OPERATOR = Actor("psn_01h455vb4pex5vsknk084sn02q", "operator", None)
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def keystore(folder: Path, key: str) -> Path:
    """An encrypted keystore with a cheap key derivation, for tests alone."""
    made = Account.encrypt(HexStr(key), PASSWORD, kdf="pbkdf2", iterations=2)
    path = folder / f"{made['address']}.json"
    path.write_text(json.dumps(made))
    path.chmod(0o600)
    return path


def rules(url: str, **block: Any) -> ChainRules:
    """A block of configuration for a chain at this address."""
    entries = {
        "rpc": [url], "chain-id": 31337, "finality": "tag", "patience": 3, "timeout": 5,
        "max-fee-gwei": 100, **block,
    }  # fmt: skip
    return read_rules({"chain": {"c1": entries}})["c1"]


class Flaky(EvmChain):
    """A chain whose answers get lost, or that does not answer, as a test says."""

    is_down = False
    loses_answers = False

    def send(self, raw: bytes) -> Answer:
        if self.is_down:
            raise ChainUnavailable
        answer = super().send(raw)
        if self.loses_answers:
            raise ChainUnavailable
        return answer


@dataclass
class Bed:
    """One anvil that mines when it is told to, the pipeline, and its operator."""

    node: Web3
    chain: Flaky
    sender: KeystoreSender
    now: datetime = NOON
    name: str = "c1"
    deep: list[int] = field(default_factory=list)

    def rpc(self, method: str, *arguments: object) -> Any:
        answer = self.node.provider.make_request(RPCEndpoint(method), list(arguments))
        assert "error" not in answer, answer
        return answer.get("result")

    def mine(self, count: int = 1) -> None:
        for _ in range(count):
            self.rpc("evm_mine")

    def reorg(self, depth: int) -> None:
        """The last blocks are replaced by empty ones; what was in them is in no pool either."""
        self.rpc("anvil_reorg", depth, [])

    def drop(self) -> None:
        """The node forgets every transaction that waits."""
        self.rpc("anvil_dropAllTransactions")

    def base_fee(self, wei: int) -> None:
        self.rpc("anvil_setNextBlockBaseFeePerGas", hex(wei))
        self.mine()

    def batch(self) -> LogBatch:
        made = sequencing.run_round(now=self.now)
        assert made is not None
        return made

    def round(self, *, with_log: bool = False, with_heads: bool = False) -> bool:
        self.now += timedelta(seconds=15)
        return anchoring.run_round(
            self.name, now=self.now, with_log=with_log, with_heads=with_heads
        )

    def resume(self) -> None:
        resuming.resume(self.name, operator=OPERATOR, now=self.now)

    def settle(self) -> None:
        """Mine and go on until everything that was chosen is final."""
        for _ in range(12):
            self.round()
            self.mine()
        self.round()

    def newest(self) -> ChainAnchor:
        return ChainAnchor.objects.select_related("contract").latest("pk")

    def states(self) -> list[str]:
        return list(ChainAnchor.objects.order_by("pk").values_list("state", flat=True))

    def attempts(self) -> list[ChainAttempt]:
        return list(ChainAttempt.objects.order_by("pk"))

    def contract(self) -> ChainContract:
        return anchoring.contract_of(self.name)

    def book(self) -> ChainContract:
        found = anchoring.book_of(self.name)
        assert found is not None
        return found

    def deploy(self, folder: Path, *, key: str = COLD, name: str = "AnchorLog") -> ChainContract:
        """With the node mining by itself meanwhile."""
        self.rpc("evm_setAutomine", True)
        deployer = Deployer(self.chain.rules, keystore(folder, key), PASSWORD)
        made = deployer.deploy(name, holder=self.sender.address)
        self.rpc("evm_setAutomine", False)
        return deploying.record(self.name, made, operator=OPERATOR, now=self.now)

    def events(self) -> list[tuple[int, int, bytes]]:
        """Every anchor of the log that is in the chain now: sequence, size, root."""
        made = self.node.eth.contract(
            address=Web3.to_checksum_address(self.contract().address),
            abi=self.chain._codec.abi,
        )
        stream = log_stream(publishing.latest().origin)
        found = made.events.Anchored.get_logs(from_block=0, argument_filters={"stream": stream})
        return [
            (event["args"]["seq"], event["args"]["treeSize"], bytes(event["args"]["root"]))
            for event in found
        ]

    def assert_true(self) -> None:
        """What is said to be final is in the chain, once, and nonces are used once."""
        for anchor in ChainAnchor.objects.filter(state=State.FINAL):
            block = self.node.eth.get_block(anchor.block_number or 0)
            assert bytes(block["hash"]) == bytes(anchor.block_hash or b"")
        sequences = [sequence for sequence, _, _ in self.events()]
        assert sequences == list(range(1, len(sequences) + 1))
        by_nonce: dict[int, set[int]] = {}
        for attempt in self.attempts():
            by_nonce.setdefault(attempt.nonce, set()).add(attempt.anchor_id)
        assert all(len(anchors) == 1 for anchors in by_nonce.values())
        assert sorted(by_nonce) == list(range(len(by_nonce)))
