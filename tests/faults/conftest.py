"""The cast of the API suites on a real Vault, and a PostgreSQL that a test may break."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker, Settings

from core import runtime
from governance.adapters.participant import participant
from tests.conftest import open_the_gate
from tests.fakes.world import world as make_world
from tests.functional.api.cast import Cast, Study, _company
from tests.functional.api.cast import study as make_study
from tests.servers import own_postgres
from tests.servers.own_postgres import OwnPostgres
from tests.servers.proxy import Proxy
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


@pytest.fixture(scope="session")
def template(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[OwnPostgres]:
    """A migrated server to copy from."""
    with django_db_blocker.unblock(), own_postgres.migrated() as made:
        yield made


@pytest.fixture
def primary(template: OwnPostgres) -> Iterator[OwnPostgres]:
    """A PostgreSQL that the test may break."""
    with own_postgres.folder() as place:
        made = OwnPostgres(place)
        made.copy_of(template)
        made.start()
        yield made
        made.end()


@pytest.fixture
def address(primary: OwnPostgres) -> Iterator[Proxy]:
    """Where everybody finds the database, whichever server it is."""
    with Proxy(f"127.0.0.1:{primary.port}") as made:
        yield made


@pytest.fixture
def own_database(transactional_db: None, address: Proxy) -> Iterator[None]:
    """This process uses that database."""
    with own_postgres.served_by("127.0.0.1", address.port):
        open_the_gate()
        yield
