from collections.abc import Iterator

import pytest
from eth_account import Account

from contracts.adapters.evm.sender import KeystoreSender
from core import runtime
from tests.bft.bed import BftBed
from tests.chain.bed import COLD, HOT, PASSWORD, Flaky, keystore, rules
from tests.fakes.custodian import FakeSigner
from tests.fakes.heads import FakeHeadKeeper
from tests.servers import c2
from tests.servers.c2 import CHAIN_ID, Network


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """One network for the module: COLD may create contracts, HOT may not; both are funded."""
    cold, hot = (Account.from_key(key).address for key in (COLD, HOT))
    folder = tmp_path_factory.mktemp("c2")
    with c2.running(folder, deployer=cold, funded={cold: 10**18, hot: 10**18}) as made:
        yield made


@pytest.fixture
def bed(
    network: Network, tmp_path_factory: pytest.TempPathFactory, transactional_db: None
) -> Iterator[BftBed]:
    """The pipeline on the BFT chain, with a contract of its own; all validators run."""
    folder = tmp_path_factory.mktemp("bed")
    entries = {"chain-id": CHAIN_ID, "finality": "instant", "timeout": 3, "patience": 1000}
    chain = Flaky(rules(network.url(0), rpc=[network.url(n) for n in range(4)], **entries))
    sender = KeystoreSender(keystore(folder, HOT), PASSWORD)
    held = {"signer": FakeSigner("loggerd"), "head_keeper": FakeHeadKeeper()}
    with runtime.override(chains={"c1": chain}, senders={"c1": sender}, **held):
        made = BftBed(network, chain, sender)
        made.deploy(folder)
        yield made
    network.make_whole()
