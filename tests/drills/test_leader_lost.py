"""The leader of three Vault nodes loses power in the middle of a write, behind a load balancer."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connections

from config.local.vaultd import Cluster, Vaultd
from core import effects, runtime
from core.models import Effect
from governance.adapters.participant import participant
from tests.drills.conftest import RealSite
from tests.fakes.world import world as make_world
from tests.servers.proxy import Fault, Proxy
from tests.servers.roles import EveryProcess
from tests.servers.vaultd import VaultServer
from vault.adapters.hashicorp.layout import Layout
from vault.domain.gate import Reason
from vault.errors import CustodianUnavailable
from vault.models import KeyShare, LookupTag, Shredding
from vault.ports import ShareState
from vault.services import key_cache, keys, reconciling

pytestmark = [pytest.mark.vault, pytest.mark.fault, pytest.mark.long]


@pytest.fixture
def balancer(cluster: Cluster) -> Iterator[Proxy]:
    """Passes on to the leader, as a load balancer with a health check does."""
    with Proxy(cluster.leader().address) as made:
        yield made


@pytest.fixture
def site(
    transactional_db: None, tmp_path: Path, cluster: Cluster, balancer: Proxy
) -> Iterator[RealSite]:
    assert cluster.keys is not None
    server = VaultServer(balancer.address, cluster.keys.root, Layout(), timeout=5.0)
    server.install()
    store = EveryProcess(server)
    with make_world(tmp_path, store) as world, runtime.override(participants=[participant()]):
        made = RealSite(world, tmp_path, cluster, store)
        made.tend()
        yield made


@pytest.fixture(params=["before", "after"])
def lose_leader(
    request: pytest.FixtureRequest, cluster: Cluster, balancer: Proxy
) -> Callable[[bytes, Callable[[], object]], Vaultd]:
    """Cut the leader's power when it is sent such a request: before it has it, or after it
    has answered and before we hear of it."""

    def lose(matching: bytes, act: Callable[[], object]) -> Vaultd:
        leader = cluster.leader()
        is_before = request.param == "before"
        fault = Fault(matching, hold_request=is_before, hold_answer=not is_before)
        failures: list[BaseException] = []

        def work() -> None:
            try:
                act()
            except CustodianUnavailable as error:
                failures.append(error)
            finally:
                connections.close_all()

        with balancer.fault(fault):
            thread = threading.Thread(target=work)
            thread.start()
            fault.wait()
            leader.kill()
            balancer.drop()
            thread.join()
        balancer.target = cluster.leader().address
        assert balancer.target != leader.address
        assert len(failures) <= 1
        return leader

    return lose


def bring_back(site: RealSite, node: Vaultd) -> None:
    node.start()
    site.settle()


Lose = Callable[[bytes, Callable[[], object]], Vaultd]


@pytest.mark.usefixtures("balancer")
class TestLeaderLost:
    def test_in_the_write_of_a_share_leaves_one_subject(
        self, site: RealSite, lose_leader: Lose
    ) -> None:
        node = lose_leader(b"POST /v1/lethe-shares/data/", lambda: site.world.subject("ada"))
        assert not LookupTag.objects.exists()
        bring_back(site, node)
        subject = site.person("ada")
        key_cache.cache().clear()

        assert site.readable() == {b'{"name":"ada"}'}
        report = reconciling.compare(controller_id=site.world.controller_id)
        assert report.is_clean, report
        assert KeyShare.objects.filter(subject=subject, state="live").count() == 1

    def test_in_a_destruction_is_neither_assumed_nor_repeated_for_ever(
        self, site: RealSite, lose_leader: Lose
    ) -> None:
        ada, bo = site.person("ada"), site.person("bo")
        share = keys.share_ref(KeyShare.objects.get(subject=ada))
        site.fence(ada)
        site.world.later(minutes=10)
        site.tend()

        node = lose_leader(b"POST /v1/lethe-shares/destroy/", lambda: shred(site))
        row = Shredding.objects.get()
        assert (row.state, row.journal != {}) == ("ordered", True)
        bring_back(site, node)
        site.run()

        assert Shredding.objects.get().state == "verified"
        assert site.states(share) == {ShareState.DESTROYED}
        assert site.tend() is Reason.IN_STEP
        assert readable_of(site, bo)
        assert not Effect.objects.exclude(failures=0).exists()


def shred(site: RealSite) -> None:
    effects.sweep(queue="shred", now=site.world.now)


def readable_of(site: RealSite, subject: UUID) -> bool:
    return KeyShare.objects.get(subject=subject).state == "live" and len(site.readable()) == 1
