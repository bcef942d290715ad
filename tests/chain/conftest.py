from collections.abc import Iterator

import pytest
from web3 import Web3

from tests.servers import anvil


@pytest.fixture(scope="module")
def chain() -> Iterator[Web3]:
    """One chain for the module; each test deploys contracts of its own."""
    with anvil.running() as made:
        yield made
