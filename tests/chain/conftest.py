from collections.abc import Iterator
from pathlib import Path

import pytest
from web3 import Web3

from contracts.adapters.evm.sender import KeystoreSender
from core import runtime
from tests.chain.bed import HOT, PASSWORD, Bed, Flaky, keystore, rules
from tests.fakes.custodian import FakeSigner
from tests.fakes.heads import FakeHeadKeeper
from tests.servers import anvil


@pytest.fixture(scope="module")
def chain() -> Iterator[Web3]:
    """One chain for the module; each test deploys contracts of its own."""
    with anvil.running() as made:
        yield made


@pytest.fixture
def bed(tmp_path: Path, transactional_db: None) -> Iterator[Bed]:
    """The pipeline on a chain of its own: finalized = head - 2, mined when told to."""
    with anvil.running("--no-mining", "--slots-in-an-epoch", "1") as node:
        provider = node.provider
        assert isinstance(provider, Web3.HTTPProvider)
        url = str(provider.endpoint_uri)
        made = Bed(node, Flaky(rules(url)), KeystoreSender(keystore(tmp_path, HOT), PASSWORD))
        ports = {"chains": {"c1": made.chain}, "senders": {"c1": made.sender}}
        held = {"signer": FakeSigner("loggerd"), "head_keeper": FakeHeadKeeper()}
        with runtime.override(**ports, **held):
            made.deploy(tmp_path)
            yield made
