"""Setting a key store up, by hand and by `manage.py custodian_setup`."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from tests.servers.vaultd import VaultServer
from vault.adapters import factory
from vault.adapters.hashicorp.custodian import HashicorpCustodian
from vault.adapters.hashicorp.layout import Layout
from vault.adapters.hashicorp.setup import ROLES, Administration
from vault.adapters.keyring import Keyring
from vault.errors import CustodianRefused


@pytest.fixture
def prefix(vault_server: VaultServer, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """Settings and token for a second installation on the same store, removed by the server's."""
    monkeypatch.setenv("VAULT_TOKEN", vault_server.root)
    settings.LETHE_VAULT_ADDR = vault_server.address
    settings.LETHE_VAULT_PREFIX = f"{vault_server.layout.prefix}b-"
    return str(settings.LETHE_VAULT_PREFIX)


def _run(*arguments: str) -> str:
    out = StringIO()
    call_command("custodian_setup", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.vault
class TestCustodianSetup:
    @pytest.mark.usefixtures("prefix")
    def test_writes_one_private_file_per_role_that_logs_in(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        _run("--pool", "1", "--reissue", "--write", str(tmp_path / "roles"))

        files = {path.stem: path for path in (tmp_path / "roles").iterdir()}
        assert set(files) == set(ROLES)
        assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o600}
        for line in files["beat"].read_text().splitlines():
            name, value = line.split("=", 1)
            setattr(settings, name, value)
        settings.LETHE_KEY_STORE = "hashicorp"
        settings.LETHE_VAULT_NODES = []
        factory._made.clear()
        assert len(factory.wrapping_keys().available()) == 1
        factory._made.clear()

    @pytest.mark.usefixtures("prefix")
    def test_issues_nothing_twice(self) -> None:
        _run("--pool", "1")

        again = _run("--pool", "1")

        assert "SECRET_ID" not in again
        assert again.count("issued before") == len(ROLES)

    def test_only_ever_adds_to_the_pool(self, prefix: str, vault_server: VaultServer) -> None:
        for size, expected in (("2", 2), ("1", 2), ("3", 3)):
            _run("--pool", size)

            keys = vault_server.admin("LIST", f"{prefix}wrap/keys").data()["keys"]
            assert len(keys) == expected

    def test_attaches_purposes_to_a_stream(self, prefix: str, vault_server: VaultServer) -> None:
        _run("--pool", "2")
        (key, *_) = vault_server.admin("LIST", f"{prefix}wrap/keys").data()["keys"]

        shown = _run("--stream", "models", "--purposes", key, "--reissue")

        assert "LETHE_VAULT_SECRET_ID=" in shown
        role = vault_server.admin("GET", f"auth/approle/role/{prefix}stream-models").data()
        assert set(role["token_policies"]) == {f"{prefix}open-{key}", f"{prefix}stream"}

    @pytest.mark.usefixtures("prefix")
    def test_refuses_a_purpose_that_is_not_there(self) -> None:
        with pytest.raises(CommandError, match="no such purpose key"):
            _run("--stream", "models", "--purposes", "p-0000000000000000")

    @pytest.mark.usefixtures("prefix")
    def test_refuses_custody_for_a_stream(self) -> None:
        with pytest.raises(CommandError, match="no such purpose key"):
            _run("--stream", "models", "--purposes", "custody")

    @pytest.mark.usefixtures("prefix")
    def test_asks_for_a_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("VAULT_TOKEN")

        with pytest.raises(CommandError, match="VAULT_TOKEN"):
            _run()

    @pytest.mark.usefixtures("prefix")
    def test_shows_no_token_that_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("VAULT_TOKEN", "hvs.not-one-of-ours")

        with pytest.raises(CommandError) as raised:
            _run()

        assert "hvs." not in str(raised.value)


@pytest.mark.vault
class TestAdministration:
    def test_refuses_names_that_leave_their_place(self, vault_server: VaultServer) -> None:
        for name in ("", "../web", "Models", "a/b"):
            with pytest.raises(CustodianRefused):
                vault_server.administration.attach(stream=name, purposes=[])

    def test_may_be_repeated_and_changes_no_key(self, vault_server: VaultServer) -> None:
        path = f"{vault_server.layout.custody}/keys/custody"
        before = vault_server.admin("GET", path).data()

        Administration(
            address=vault_server.address, token=vault_server.root, layout=vault_server.layout
        ).install(pool=1)

        assert vault_server.admin("GET", path).data() == before


class TestLayout:
    @pytest.mark.parametrize("prefix", ["", "../", "a/b", "Lethe-", "-x"])
    def test_refuses_a_prefix_that_is_no_name(self, prefix: str) -> None:
        with pytest.raises(ValueError, match="prefix"):
            Layout(prefix)


class TestFactory:
    @pytest.fixture(autouse=True)
    def _settings(self, settings: Settings, tmp_path: Path) -> None:
        factory._made.clear()
        settings.LETHE_KEYRING_DIR = tmp_path / "keyring"
        settings.LETHE_VAULT_ROLE_ID, settings.LETHE_VAULT_SECRET_ID = "role", "secret"
        settings.LETHE_VAULT_NODES = []

    def test_makes_one_keyring_for_all_ports(self, settings: Settings) -> None:
        settings.LETHE_KEY_STORE, settings.LETHE_PROCESS = "keyring", "worker"

        made = {id(port) for port in (factory.custodian(), factory.hasher(), factory.signer())}

        assert len(made) == 1
        assert isinstance(factory.wrapping_keys(), Keyring)

    def test_refuses_a_keyring_outside_development(self, settings: Settings) -> None:
        settings.LETHE_KEY_STORE, settings.LETHE_DEVELOPMENT = "keyring", False

        with pytest.raises(ImproperlyConfigured):
            factory.custodian()

    def test_refuses_a_store_it_does_not_know(self, settings: Settings) -> None:
        settings.LETHE_KEY_STORE = "none"

        with pytest.raises(ImproperlyConfigured):
            factory.custodian()

    @pytest.mark.parametrize("process", ["stream", "beat"])
    def test_signs_for_no_process_without_a_key(self, settings: Settings, process: str) -> None:
        settings.LETHE_PROCESS = process

        with pytest.raises(ImproperlyConfigured):
            factory.signer()

    @pytest.mark.parametrize(
        "address", ["http://vault.example:8200", "ftp://127.0.0.1", "vault.example", ""]
    )
    def test_sends_no_key_over_an_open_network(self, settings: Settings, address: str) -> None:
        settings.LETHE_KEY_STORE, settings.LETHE_VAULT_ADDR = "hashicorp", address

        with pytest.raises(ImproperlyConfigured):
            factory.custodian()

    @pytest.mark.parametrize("address", ["https://vault.example", "http://127.0.0.1:8200"])
    def test_takes_a_private_address(self, settings: Settings, address: str) -> None:
        settings.LETHE_KEY_STORE, settings.LETHE_VAULT_ADDR = "hashicorp", address

        assert isinstance(factory.custodian(), HashicorpCustodian)
