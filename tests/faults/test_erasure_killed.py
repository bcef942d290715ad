"""The eraser and attester processes killed at every point of an erasure, on a real Vault."""

import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from core import runtime
from core.models import AuditEvent
from governance.adapters.participant import participant
from governance.models import Certificate, SubjectRequest
from tests.fakes.points import ATTESTER, ERASER
from tests.fakes.world import World
from tests.fakes.world import world as make_world
from tests.faults.processes import Processes
from tests.integration.governance.office import Office
from tests.servers.roles import EveryProcess
from tests.servers.vaultd import VaultServer
from vault.adapters import directory_journal
from vault.models import DestructionAttestation, KeyShare, SealedRecord, Shredding
from vault.ports import ShareState
from vault.services import keys

pytestmark = [pytest.mark.fault, pytest.mark.vault, pytest.mark.long]

SIGNED = "governance.certificate.signed"


@pytest.fixture
def store(vault_server: VaultServer) -> EveryProcess:
    return EveryProcess(vault_server)


@pytest.fixture
def world(transactional_db: None, tmp_path: Path, store: EveryProcess) -> Iterator[World]:
    with make_world(tmp_path, store) as made, runtime.override(participants=[participant()]):
        made.journal.close()  # one writer at a time, and here it is the eraser's process
        yield made


@pytest.fixture
def processes(vault_server: VaultServer, tmp_path: Path) -> Processes:
    return Processes(vault_server, tmp_path)


def released(world: World) -> tuple[UUID, SubjectRequest]:
    subject = world.subject("ada")
    world.record(subject)
    world.consent(subject)
    request = Office(world).released(subject)
    world.later(minutes=10)
    return subject, request


def finish(world: World, processes: Processes) -> None:
    """Start both processes anew after the dead one's lease has ended."""
    for process, queue in (("eraser", "shred"), ("attester", "attest"), ("attester", "attest")):
        world.later(minutes=1)
        assert processes.sweep(process, queue) == 0


def assert_erased_once(
    world: World, subject: UUID, request: SubjectRequest, store: EveryProcess, folder: Path
) -> None:
    erasure_id = SubjectRequest.objects.get(id=request.id).erasure_id
    assert Shredding.objects.get(erasure_id=erasure_id).state == "verified"
    assert DestructionAttestation.objects.filter(erasure_id=erasure_id).count() == 1
    assert Certificate.objects.filter(erasure_id=erasure_id).count() == 1
    assert not SealedRecord.objects.filter(subject_id=subject).exists()
    refs = [keys.share_ref(share) for share in KeyShare.objects.filter(subject=None)]
    assert refs
    assert {r.state for r in store.read_destruction(refs)} == {ShareState.DESTROYED}
    steps = list(
        AuditEvent.objects.filter(
            erasure_id=erasure_id, action__startswith="vault.shredding."
        ).values_list("action", flat=True)
    )
    assert len(steps) == len(set(steps)) == 6
    journal, mirror = folder / "journal", folder / "mirror"
    with directory_journal.DirectoryJournal(journal, mirrors=[mirror]) as opened:
        assert opened.verify() == []
    kinds = [str(entry.kind) for entry in directory_journal.read_entries(journal)]
    assert kinds[0] == "genesis"
    assert set(kinds[1:]) == {"destruction"}


class TestErasure:
    @pytest.mark.parametrize("point", ERASER)
    def test_completes_once_after_its_eraser_was_killed(
        self, world: World, processes: Processes, store: EveryProcess, tmp_path: Path, point: str
    ) -> None:
        subject, request = released(world)

        assert processes.sweep("eraser", "shred", kill_at=point) == -signal.SIGKILL
        finish(world, processes)

        assert_erased_once(world, subject, request, store, tmp_path)

    @pytest.mark.parametrize("point", [*ATTESTER, SIGNED])
    def test_completes_once_after_its_attester_was_killed(
        self, world: World, processes: Processes, store: EveryProcess, tmp_path: Path, point: str
    ) -> None:
        subject, request = released(world)
        assert processes.sweep("eraser", "shred") == 0
        world.later(seconds=5)

        assert processes.sweep("attester", "attest", kill_at=point) == -signal.SIGKILL
        finish(world, processes)

        assert_erased_once(world, subject, request, store, tmp_path)
