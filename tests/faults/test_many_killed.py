"""Processes killed as often as LETHE_KILLS asks for: `make test-fault-long`."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from itertools import combinations, cycle
from pathlib import Path
from uuid import UUID

import pytest

from core import runtime
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
from vault.models import KeyShare, SealedRecord, Shredding
from vault.ports import ShareState
from vault.services import keys

KILLS = int(os.environ.get("LETHE_KILLS", "0"))
#: Where the counts are written, for the report.
COUNTS = os.environ.get("LETHE_KILL_COUNTS", "")
SIGNED = "governance.certificate.signed"
#: Process, its queue, and where it may be killed.
PROCESSES = (("eraser", "shred", ERASER), ("attester", "attest", [*ATTESTER, SIGNED]))

pytestmark = [
    pytest.mark.fault,
    pytest.mark.vault,
    pytest.mark.long,
    pytest.mark.timeout(0),
    pytest.mark.skipif(not KILLS, reason="LETHE_KILLS says how many; make test-fault-long"),
]


@pytest.fixture
def store(vault_server: VaultServer) -> EveryProcess:
    return EveryProcess(vault_server)


@pytest.fixture
def world(transactional_db: None, tmp_path: Path, store: EveryProcess) -> Iterator[World]:
    with make_world(tmp_path, store) as made, runtime.override(participants=[participant()]):
        made.journal.close()  # one writer at a time, and here it is the eraser's process
        yield made


def test_every_erasure_completes_once(
    world: World, vault_server: VaultServer, store: EveryProcess, tmp_path: Path
) -> None:
    processes = Processes(vault_server, tmp_path)
    # Twice at most each: an effect that breaks off too often waits for an operator.
    pairs = [cycle(combinations(points, 2)) for _, _, points in PROCESSES]
    killed: Counter[str] = Counter()
    started, erased = time.monotonic(), 0
    keeper = world.subject("keeper")
    world.record(keeper)
    world.consent(keeper)

    while killed.total() < KILLS:
        erased += 1
        request, kids = released(world, f"synthetic-{erased}")
        for (process, queue, _), pair in zip(PROCESSES, pairs, strict=True):
            for point in next(pair):
                if processes.sweep(process, queue, kill_at=point) == -signal.SIGKILL:
                    killed[point] += 1
                world.later(minutes=1)
            assert processes.sweep(process, queue) == 0
            world.later(minutes=1)
        assert processes.sweep("attester", "attest") == 0
        assert_erased_once(request, kids, store)

    assert len(world.page().rows) == SealedRecord.objects.count() == 1
    journal, mirror = tmp_path / "journal", tmp_path / "mirror"
    with directory_journal.DirectoryJournal(journal, mirrors=[mirror]) as opened:
        assert opened.verify() == []
    if COUNTS:
        seconds = round(time.monotonic() - started)
        found = {"kills": killed, "erasures": erased, "seconds": seconds}
        Path(COUNTS).write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")


def released(world: World, name: str) -> tuple[SubjectRequest, list[UUID]]:
    """An erasure that may begin, and the shares it concerns."""
    subject = world.subject(name)
    world.record(subject)
    world.consent(subject)
    request = Office(world).released(subject)
    kids = list(KeyShare.objects.filter(subject=subject).values_list("kid", flat=True))
    world.later(minutes=10)
    return request, kids


def assert_erased_once(request: SubjectRequest, kids: list[UUID], store: EveryProcess) -> None:
    erasure_id = SubjectRequest.objects.get(id=request.id).erasure_id
    assert Shredding.objects.get(erasure_id=erasure_id).state == "verified"
    assert Certificate.objects.filter(erasure_id=erasure_id).count() == 1
    shares = KeyShare.objects.filter(kid__in=kids)
    read = store.read_destruction([keys.share_ref(share) for share in shares])
    assert {reading.state for reading in read} == {ShareState.DESTROYED}
