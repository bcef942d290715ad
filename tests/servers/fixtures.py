"""Fixtures of servers, for every suite."""

from collections.abc import Iterator

import pytest

from tests.servers import vaultd


@pytest.fixture(scope="session")
def vault_server() -> Iterator[vaultd.VaultServer]:
    """One installed Vault for the run. Do not seal it, stop it or withdraw its credentials."""
    with vaultd.session_server() as server:
        yield server
