"""The pipeline on the BFT chain, in short verbs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from contracts.adapters.evm.deployer import Deployer
from contracts.adapters.evm.sender import KeystoreSender
from contracts.models import ChainAnchor, LogBatch
from contracts.services import anchoring, deploying, sequencing
from core.errors import ServiceError
from tests.chain.bed import COLD, NOON, OPERATOR, PASSWORD, Flaky, keystore
from tests.servers.c2 import Network, wait_until


@dataclass
class BftBed:
    """One network, a contract on it, and rounds."""

    network: Network
    chain: Flaky
    sender: KeystoreSender
    now: datetime = NOON

    def deploy(self, folder: Path, key: str = COLD) -> None:
        deployer = Deployer(self.chain.rules, keystore(folder, key), PASSWORD)
        made = deployer.deploy("AnchorLog", holder=self.sender.address)
        deploying.record("c1", made, operator=OPERATOR, now=self.now)

    def batch(self) -> LogBatch:
        made = sequencing.run_round(now=self.now)
        assert made is not None
        return made

    def round(self, *, with_log: bool = False) -> None:
        self.now += timedelta(seconds=1)
        anchoring.run_round("c1", now=self.now, with_log=with_log)

    def states(self) -> list[str]:
        return list(ChainAnchor.objects.order_by("pk").values_list("state", flat=True))

    def is_final(self) -> bool:
        """One more round; whether everything is final. A validator that is down is no failure."""
        try:
            self.round()
        except ServiceError:
            return False
        return set(self.states()) == {"final"}

    def settle(self) -> None:
        wait_until(self.is_final, "the anchors do not become final")
