"""The cast of the API suites on a real Vault, and the product's own processes beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pytest_django import Settings

from core import runtime
from governance.adapters.participant import participant
from tests.fakes.world import world as make_world
from tests.functional.api.cast import Cast, Study, _company
from tests.functional.api.cast import study as make_study
from tests.servers.roles import EveryProcess
from tests.servers.vaultd import VaultServer
from vault.services import purpose_keys


@contextmanager
def real_cast(folder: Path, server: VaultServer) -> Iterator[Cast]:
    """Both companies over a real Vault, where every call is made with its process's credential."""
    store = EveryProcess(server)
    with (
        make_world(folder, store) as world,
        runtime.override(participants=[participant()], signer=server.signer("attester")),
    ):
        purpose_keys.register(store.available())
        yield Cast(world, _company("clinic"), _company("insurer"))


@pytest.fixture
def cast(
    transactional_db: None, settings: Settings, tmp_path: Path, vault_server: VaultServer
) -> Iterator[Cast]:
    settings.STATIC_ROOT = str(tmp_path)  # whitenoise wants the folder to exist
    with real_cast(tmp_path, vault_server) as made:
        yield made


@pytest.fixture
def study(cast: Cast) -> Study:
    return make_study(cast)
