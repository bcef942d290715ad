"""A site on real stores: PostgreSQL with its own dumps, three Vault nodes with raft snapshots."""

import os
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from config.local.vaultd import Cluster, Vaultd
from core import runtime
from core.errors import ServiceError
from governance.adapters.participant import participant
from tests.fakes.site import Site
from tests.fakes.world import World
from tests.fakes.world import world as make_world
from tests.servers.roles import EveryProcess
from tests.servers.vaultd import VaultServer, program
from vault.adapters.hashicorp.layout import Layout
from vault.ports import ShareRef, ShareState

_PATIENCE = 60.0


@dataclass
class RealSite(Site):
    """A site whose key store is a cluster."""

    cluster: Cluster
    store: EveryProcess

    def snapshot(self) -> Any:
        """A raft snapshot, as the backup job takes it."""
        return _send(self.cluster.leader(), "GET", "sys/storage/raft/snapshot", self._root)

    def put_back_keys(self, snapshot: Any) -> None:
        """Force the snapshot onto the cluster and wait until it answers again."""
        path = "sys/storage/raft/snapshot-force"
        _send(self.cluster.leader(), "POST", path, self._root, snapshot)
        self.settle()

    def change_leader(self) -> None:
        """Cut the leader's power; another takes over, and the old one comes back as a follower."""
        old = self.cluster.leader()
        old.kill()
        assert self.cluster.leader() is not old
        old.start()
        self.settle()

    def settle(self) -> None:
        """Wait until every node unseals and the store answers our processes."""
        assert self.cluster.keys is not None
        for node in self.cluster.nodes:
            node.unseal(self.cluster.keys)
        ends_at = time.monotonic() + _PATIENCE
        while True:
            try:
                self.store.read_destruction([ShareRef(os.urandom(16), uuid4())])
                self.store.tags(key="lookup", values=[b"probe"])
                self.store.read_marker()
            except ServiceError:
                assert time.monotonic() < ends_at, "the key store does not answer"
                time.sleep(0.2)
            else:
                return

    def states(self, ref: ShareRef) -> set[ShareState]:
        """What every node says of a share."""
        return {reading.state for reading in self.store.read_destruction([ref])}

    @property
    def _root(self) -> str:
        assert self.cluster.keys is not None
        return self.cluster.keys.root


def _send(node: Vaultd, method: str, path: str, token: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        f"{node.address}/v1/{path}", method=method, data=body, headers={"X-Vault-Token": token}
    )
    with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310 - as above
        content: bytes = answer.read()
    return content


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(program(), data=tmp_path_factory.mktemp("raft")) as made:
        yield made


@pytest.fixture
def server(cluster: Cluster) -> VaultServer:
    assert cluster.keys is not None
    made = VaultServer(
        cluster.nodes[0].address,
        cluster.keys.root,
        Layout(),
        nodes=tuple(node.address for node in cluster.nodes),
        timeout=30.0,
    )
    made.install()
    return made


@pytest.fixture
def site(
    transactional_db: None, tmp_path: Path, cluster: Cluster, server: VaultServer
) -> Iterator[RealSite]:
    store = EveryProcess(server)
    with make_world(tmp_path, store) as world, runtime.override(participants=[participant()]):
        made = RealSite(world, tmp_path, cluster, store)
        made.tend()
        yield made


@pytest.fixture
def world(site: RealSite) -> World:
    return site.world
