"""The state machine on a real three-node Vault: few runs, since its snapshots take seconds."""

from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from pytest_django import Settings

from config.local.vaultd import Cluster
from tests.drills.conftest import RealSite
from tests.fakes import rotations
from tests.fakes.world import world as make_world
from tests.machine.machine import TownMachine
from tests.servers.roles import EveryProcess
from tests.servers.vaultd import VaultServer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.vault,
    pytest.mark.fault,
    pytest.mark.long,
]
#: Snapshots put back in all.
_RESTORES = 6


@seed(3)
class RealTownMachine(TownMachine):
    """Its key store is a cluster, its snapshots are raft's."""

    cluster: ClassVar[Cluster]
    server: ClassVar[VaultServer]
    raised: ClassVar[Counter[str]] = Counter()
    counts: ClassVar[Counter[str]] = Counter()

    def site(self) -> RealSite:
        store = EveryProcess(self.server)
        world = self.stack.enter_context(make_world(self.folder, store))
        return RealSite(world, Path(self.folder), self.cluster, store)

    def may_put_keys_back(self) -> bool:
        name = "restores of the key store"
        return self.counts[name] + self.town.counts[name] < _RESTORES


def test_nothing_brings_back_what_was_erased(
    site: RealSite, server: VaultServer, settings: Settings
) -> None:
    settings.LETHE_BACKUPS_ATTESTED = rotations.ATTESTED
    settings.LETHE_BACKUPS_CLEARED = rotations.CLEARED
    RealTownMachine.cluster, RealTownMachine.server = site.cluster, server

    run_state_machine_as_test(RealTownMachine, settings=PROFILE)

    assert RealTownMachine.raised.total()
    assert RealTownMachine.counts["restores of the key store"]


PROFILE = settings(
    max_examples=8,
    stateful_step_count=40,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
