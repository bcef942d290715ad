"""The log's last head, on both key stores."""

import os

import pytest

from core.ports import LogHead
from tests.conformance.conftest import Store
from tests.servers.vaultd import STREAM
from vault.adapters.hashicorp.head_keeper import HashicorpHeadKeeper
from vault.errors import CustodianRefused


class TestReplaceHead:
    def test_takes_the_place_of_the_one_that_is_known_and_of_no_other(self, store: Store) -> None:
        keeper, before = store.head_keeper, store.head_keeper.read_head()
        first, second, third = (LogHead(1, size, os.urandom(32)) for size in (64, 128, 192))

        assert keeper.replace_head(first, known=before)
        assert not keeper.replace_head(second, known=second)
        assert keeper.read_head() == first
        assert keeper.replace_head(second, known=first)
        assert not keeper.replace_head(third, known=None)
        assert keeper.read_head() == second


@pytest.mark.vault
class TestRights:
    @pytest.mark.parametrize("role", ["web", STREAM, "worker", "eraser", "attester", "beat"])
    def test_belong_to_the_logs_process_alone(
        self, request: pytest.FixtureRequest, role: str
    ) -> None:
        server = request.getfixturevalue("vault_server")
        keeper = HashicorpHeadKeeper(server.client(role), server.layout)

        with pytest.raises(CustodianRefused):
            keeper.read_head()
