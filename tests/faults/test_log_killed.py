"""The log's own process on a real Vault: killed wherever it may be, it goes on with one history."""

import signal
from pathlib import Path

import pytest

from contracts.domain.tree import EMPTY_ROOT
from contracts.models import LogBatch, LogCheckpoint
from contracts.services import checking
from core.models import LeafInbox
from core.ports import LogHead
from tests.faults.processes import Processes
from tests.faults.waiting import until
from tests.servers.tsa import Authority
from tests.servers.vaultd import VaultServer
from tests.servers.witness import Witness, running
from vault.adapters.hashicorp.head_keeper import HashicorpHeadKeeper

pytestmark = [
    pytest.mark.fault, pytest.mark.vault, pytest.mark.long, pytest.mark.django_db(transaction=True),
]  # fmt: skip
POINTS = [
    "contracts.log.sealing", "contracts.log.sealed", "contracts.log.keeping", "contracts.log.kept",
    "contracts.log.signed", "contracts.log.published",
]  # fmt: skip


@pytest.fixture
def processes(vault_server: VaultServer, tmp_path: Path) -> Processes:
    return Processes(vault_server, tmp_path)


@pytest.fixture(autouse=True)
def keeper(vault_server: VaultServer) -> HashicorpHeadKeeper:
    """As of an empty log: the key store is the session's, the database is the test's."""
    made = HashicorpHeadKeeper(vault_server.client("loggerd"), vault_server.layout)
    assert made.replace_head(LogHead(0, 0, EMPTY_ROOT), known=made.read_head())
    return made


def test_is_killed_at_each_point_and_goes_on(
    keeper: HashicorpHeadKeeper, processes: Processes
) -> None:
    once = ("manage.py", "loggerd", "--once")
    LeafInbox.objects.bulk_create(LeafInbox(leaf=bytes([n, *range(31)])) for n in range(200, 210))
    for point in POINTS:
        assert processes.run("loggerd", *once, kill_at=point).returncode == -signal.SIGKILL

    assert processes.run("loggerd", *once).returncode == 0

    assert list(checking.faults()) == []
    assert not LogBatch.objects.filter(logcheckpoint=None).exists()
    assert not LeafInbox.objects.exists()
    head = keeper.read_head()
    assert head is not None
    assert head.size == LogBatch.objects.order_by("-sequence")[0].size


def test_runs_until_it_is_stopped_and_only_one_at_a_time(processes: Processes) -> None:
    command = ("manage.py", "loggerd")
    quick = {"LETHE_LOG_EVERY": "0.2"}
    with (
        processes.running("loggerd", *command, **quick) as first,
        processes.running("loggerd", *command, **quick) as second,
    ):
        until(lambda: LogCheckpoint.objects.count() >= 6, "six heads")
        assert first.is_alive
        assert second.is_alive
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(timeout=30) == 0
        before = LogCheckpoint.objects.count()
        until(lambda: LogCheckpoint.objects.count() > before, "the other one goes on")

    assert list(checking.faults()) == []
    assert "log.stopped" not in second.said()


def test_seals_on_and_ends_while_nobody_outside_answers(
    processes: Processes, tmp_path: Path
) -> None:
    authority, witness = Authority(tmp_path / "tsa"), Witness("w.example", log_keys=[])
    with running(witness) as server:
        server.behaviour = server.never
        policy = f"witness w {witness.vkey} {server.url}\nquorum w\n"
        (tmp_path / "policy").write_text(policy)
        settings = {
            "LETHE_LOG_EVERY": "0.2", "LETHE_ASKING_TIMEOUT": "120",
            "LETHE_TSA_URL": f"{server.url}/stamp", "LETHE_TSA_ROOTS": str(authority.roots),
            "LETHE_LOG_WITNESSES": str(tmp_path / "policy"),
            "LETHE_TSA_EVERY": "0.1", "LETHE_WITNESS_EVERY": "0.1",
        }  # fmt: skip
        with processes.running("loggerd", "manage.py", "loggerd", **settings) as log:
            until(lambda: set(server.paths) == {"/stamp", "/add-checkpoint"}, "both are asked")
            before = LogCheckpoint.objects.count()
            until(lambda: LogCheckpoint.objects.count() >= before + 5, "it seals on")
            log.process.send_signal(signal.SIGTERM)
            assert log.process.wait(timeout=10) == 0

    assert list(checking.faults()) == []
