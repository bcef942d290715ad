"""Database roles, sockets and servers of the whole test run."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from django.db import connections
from django.test.utils import setup_databases, teardown_databases
from pytest_django.plugin import DjangoDbBlocker

from core import clock

pytest_plugins = ["tests.servers.fixtures"] if find_spec("tests.servers.fixtures") else []

#: The app role, and the owner whose test database it mirrors: only the owner may TRUNCATE.
BOTH = ["default", "owner"]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """No socket leaves this machine: pytest-socket reads these options at its own start."""
    config.option.allow_hosts = config.option.allow_hosts or "127.0.0.1,::1,localhost"
    config.option.allow_unix_socket = True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test that commits both aliases, so that it is cleaned up by the owner."""
    for item in items:
        marker = item.get_closest_marker("django_db")
        fixtures = getattr(item, "fixturenames", ())
        commits = "transactional_db" in fixtures or "live_server" in fixtures
        if marker is not None:
            commits = commits or bool(marker.kwargs.get("transaction"))
        if commits and not (marker and marker.kwargs.get("databases")):
            both = pytest.mark.django_db(transaction=True, databases=BOTH)
            item.add_marker(both, append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """End what a failed test left open: the owner's TRUNCATE would wait for its locks for ever."""
    clock.forget()
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
            _close_pool(connection)
    return (yield)


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
    django_db_modify_db_settings: None,
    django_db_keepdb: bool,  # noqa: FBT001 - pytest passes fixtures by name
) -> Iterator[None]:
    """Create the owner's test database and point the app role's alias at it.

    pytest-django sets up only the aliases that tests name, and the mirror of a database that
    nobody creates would be the real one.
    """
    both: Any = BOTH  # the stub asks for a mapping; Django wants any container
    verbosity = request.config.option.verbose
    with django_db_blocker.unblock():
        made = setup_databases(
            verbosity,
            interactive=False,
            aliases=both,
            serialized_aliases=[],
            keepdb=django_db_keepdb,
        )
    yield
    with django_db_blocker.unblock():
        connections.close_all()
        if not django_db_keepdb:
            teardown_databases(made, verbosity=verbosity)


@pytest.fixture(autouse=True)
def open_gate(request: pytest.FixtureRequest) -> None:
    """Data is served in every test with a database, as if an eraser had just compared.

    Tests of the gate itself write what they need over it.
    """
    names = {"db", "transactional_db", "live_server"}
    if request.node.get_closest_marker("django_db") or names & set(request.fixturenames):
        request.getfixturevalue("_django_db_helper")
        open_the_gate()


def open_the_gate() -> None:
    """Write an open lease for the server of the tests."""
    from django.db import transaction

    from vault.domain.gate import Reason
    from vault.services import gate

    with transaction.atomic():
        gate.write.__wrapped__(Reason.IN_STEP, server=gate.identity(), now=clock.now())  # type: ignore[attr-defined]


def _close_pool(connection: object) -> None:
    close_pool = getattr(connection, "close_pool", None)
    if close_pool is not None:
        close_pool()
