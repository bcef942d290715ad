"""Seals, kills, revokes and forks around a real Vault."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from config.local.vaultd import Cluster, Vaultd
from tests.custodian.conftest import CONTROLLER
from tests.servers.vaultd import VaultServer, program, started
from vault.adapters.hashicorp.client import Client
from vault.adapters.hashicorp.custodian import HashicorpCustodian
from vault.adapters.hashicorp.layout import Layout
from vault.adapters.hashicorp.transport import read
from vault.errors import CustodianRefused, CustodianUnavailable
from vault.ports import FreshShare, GrantToMake, GrantToOpen, ShareRef, ShareState

pytestmark = pytest.mark.vault


def _refs(count: int) -> list[ShareRef]:
    return [ShareRef(os.urandom(16), CONTROLLER) for _ in range(count)]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    """A server on disk that these tests may break; each leaves it running."""
    with Vaultd(program(), data=tmp_path_factory.mktemp("vault") / "n0") as process:
        yield started(process)


@pytest.mark.fault
class TestSealedStore:
    def test_is_unavailable_until_unsealed(self, own: VaultServer) -> None:
        web = own.custodian("web")
        (share,) = web.create_shares(_refs(1))
        assert isinstance(share, FreshShare)
        assert own.process is not None
        assert own.keys is not None
        own.process.seal(own.root)

        with pytest.raises(CustodianUnavailable):
            web.make_grants([GrantToMake(share.ref, "custody", bytes(32))])

        own.process.unseal(own.keys)
        made = web.make_grants([GrantToMake(share.ref, "custody", bytes(32))])
        assert isinstance(made[0], bytes)


@pytest.mark.fault
class TestKilledStore:
    def test_is_unavailable_and_comes_back_with_everything(self, own: VaultServer) -> None:
        web, eraser = own.custodian("web"), own.custodian("eraser")
        refs = _refs(100)
        web.create_shares(refs)
        grants = [GrantToMake(ref, "custody", bytes(32)) for ref in refs]
        wrapped = [item for item in web.make_grants(grants) if isinstance(item, bytes)]
        eraser.destroy_shares(refs[:50])
        assert own.process is not None
        assert own.keys is not None
        own.process.kill()

        with pytest.raises(CustodianUnavailable):
            web.make_grants(grants)
        with pytest.raises(CustodianUnavailable):
            eraser.destroy_shares(refs)

        own.process.start()
        own.process.unseal(own.keys)
        states = [reading.state for reading in eraser.read_destruction(refs)]
        assert states == [ShareState.DESTROYED] * 50 + [ShareState.LIVE] * 50
        to_open = [
            GrantToOpen(ref, "custody", item) for ref, item in zip(refs, wrapped, strict=True)
        ]
        assert web.open_grants(to_open)[50:] == [bytes(32)] * 50


class TestToken:
    def test_is_replaced_when_revoked(self, own: VaultServer) -> None:
        client = own.client("web")
        client.send([read("auth/token/lookup-self")])
        revoked = client._login.token().value

        own.admin("PUT", "sys/leases/revoke-prefix/auth/approle/login", b"{}")

        custodian = HashicorpCustodian(client, own.layout)
        assert all(isinstance(item, FreshShare) for item in custodian.create_shares(_refs(40)))
        assert client._login.token().value != revoked

    def test_is_not_replaced_when_the_login_was_withdrawn(self, own: VaultServer) -> None:
        client = own.client("loggerd")
        client.send([read("auth/token/lookup-self")])

        own.administration.withdraw("loggerd")
        own.admin("PUT", "sys/leases/revoke-prefix/auth/approle/login", b"{}")

        with pytest.raises(CustodianRefused) as raised:
            client.send([read("auth/token/lookup-self")])
        assert "hvs." not in repr(raised.value)

    def test_is_kept_when_the_act_is_forbidden(self, own: VaultServer) -> None:
        client = own.client("loggerd")
        before = client._login.token()

        (answer,) = client.send([read(f"{own.layout.shares}/config")])

        assert answer.status == 403
        assert client._login.token() is before

    def test_is_renewed_when_two_thirds_of_its_life_are_over(self, own: VaultServer) -> None:
        login = own.client("web")._login
        first = login.token()
        login._token = replace(first, renew_at=0.0)

        second = login.token()

        assert second.value == first.value
        assert second.renew_at > first.renew_at - 1

    def test_is_exchanged_when_it_cannot_live_longer(self, own: VaultServer) -> None:
        login = own.client("web")._login
        first = login.token()
        login._token = replace(first, renew_at=0.0, first_life=1e9)

        assert login.token().value != first.value

    def test_is_exchanged_when_it_ended(self, own: VaultServer) -> None:
        login = own.client("web")._login
        first = login.token()
        login._token = replace(first, renew_at=0.0, ends_at=0.0)

        assert login.token().value != first.value


class TestClient:
    def test_serves_many_threads(self, own: VaultServer) -> None:
        web = own.custodian("web")
        refs = _refs(20)
        web.create_shares(refs)
        grants = [GrantToMake(ref, "custody", ref.kid * 2) for ref in refs]

        def work(_: int) -> bool:
            made = [item for item in web.make_grants(grants) if isinstance(item, bytes)]
            opened = web.open_grants(
                [GrantToOpen(ref, "custody", item) for ref, item in zip(refs, made, strict=True)]
            )
            return opened == [ref.kid * 2 for ref in refs]

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(work, range(40)))

    def test_serves_parent_and_child_after_a_fork(self, own: VaultServer) -> None:
        client = own.client("web")
        assert _looks_itself_up(client)

        child = os.fork()
        if child == 0:
            os._exit(0 if _looks_itself_up(client) else 1)

        assert _looks_itself_up(client)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert _looks_itself_up(client)


def _looks_itself_up(client: Client) -> bool:
    answers = client.send([read("auth/token/lookup-self")] * 20)
    return all(answer.status == 200 for answer in answers)


@pytest.mark.fault
@pytest.mark.long
class TestCluster:
    def test_is_read_on_every_node(self, tmp_path: Path) -> None:
        with Cluster(program(), data=tmp_path) as cluster:
            first, *others = cluster.nodes
            assert cluster.keys is not None
            nodes = tuple(node.address for node in cluster.nodes)
            server = VaultServer(first.address, cluster.keys.root, Layout(), nodes=nodes)
            server.install()
            web, eraser = server.custodian("web"), server.custodian("eraser")
            refs = _refs(3)
            web.create_shares(refs)
            eraser.destroy_shares(refs[:1])

            readings = eraser.read_destruction(refs)

            assert [(reading.ref, reading.node) for reading in readings] == [
                (ref, node.removeprefix("http://")) for ref in refs for node in nodes
            ]
            states = [reading.state for reading in readings]
            assert states == [ShareState.DESTROYED] * 3 + [ShareState.LIVE] * 6

            others[1].kill()
            with pytest.raises(CustodianUnavailable) as raised:
                eraser.read_destruction(refs)
            assert raised.value.context["node"] == nodes[2].removeprefix("http://")
