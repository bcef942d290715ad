"""The life of a record on a real Vault, every call with the credential of its process."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from core import effects, failpoints
from core.unit_of_work import unit_of_work
from tests.fakes.world import World
from tests.fakes.world import world as make_world
from tests.servers.roles import EveryProcess
from tests.servers.vaultd import VaultServer
from vault.domain.lookup import Reference
from vault.errors import CiphertextTampered, SubjectErased
from vault.models import (
    DestructionAttestation,
    KeyGrant,
    KeyShare,
    Removal,
    SealedRecord,
    Shredding,
)
from vault.ports import GrantFailure, GrantToOpen, ShareState
from vault.services import (
    abandoned,
    grants,
    key_cache,
    keys,
    reading,
    reconciling,
    shredding,
    subjects,
)

pytestmark = pytest.mark.vault


@pytest.fixture
def store(vault_server: VaultServer) -> EveryProcess:
    return EveryProcess(vault_server)


@pytest.fixture
def world(transactional_db: None, tmp_path: Path, store: EveryProcess) -> Iterator[World]:
    with make_world(tmp_path, store) as made:
        yield made


def consented(world: World, name: str) -> UUID:
    subject = world.subject(name)
    world.record(subject)
    world.consent(subject)
    return subject


def erase(world: World, subject: UUID) -> None:
    with unit_of_work():
        shredding.fence(
            subject_id=subject,
            erasure_id=uuid4(),
            actor=world.actor,
            open_leases=0,
            now=world.now,
        )
    world.later(minutes=10)
    for queue in ("shred", "attest"):
        effects.sweep(queue=queue, now=world.now)


def break_off(point: str) -> None:
    """The process that creates a subject ends once Vault has its share."""
    if point == "vault.keys.created":
        raise InterruptedError


class TestReading:
    def test_gives_a_purpose_what_it_holds_grants_for(self, world: World) -> None:
        for name in ("ada", "bo"):
            consented(world, name)
        world.record(world.subject("cleo"))

        assert len(world.page().rows) == 2

    def test_of_cold_and_warm_pages_agrees(self, world: World) -> None:
        for number in range(30):
            consented(world, f"s{number}")

        warm = [row.document for row in world.page().rows]
        key_cache.cache().clear()

        assert [row.document for row in world.page().rows] == warm
        assert len(warm) == 30

    def test_ends_with_a_withdrawal(self, world: World) -> None:
        subject = consented(world, "ada")

        with unit_of_work():
            grants.withdraw(
                subject_id=subject,
                purpose_id=world.purpose_id,
                reason=Removal.Reason.WITHDRAWN,
                now=world.now,
            )

        assert not world.page().rows

    def test_refuses_a_grant_row_moved_to_another_subject(self, world: World) -> None:
        ada, mallory = consented(world, "ada"), consented(world, "mallory")
        stolen = bytes(KeyGrant.objects.get(subject_id=ada).wrapped)
        KeyGrant.objects.filter(subject_id=mallory).update(wrapped=stolen)

        with pytest.raises(CiphertextTampered):
            world.page()

    def test_finds_a_person_by_a_tag_that_vault_made(self, world: World) -> None:
        subject = world.subject("ada")

        (found,) = subjects.resolve_many(
            controller_id=world.controller_id, references=[Reference("customer-number", "ada")]
        )

        assert found.subject_id == subject


class TestErasure:
    def test_leaves_no_key_that_opens_what_an_old_dump_holds(
        self, world: World, store: EveryProcess
    ) -> None:
        subject, other = consented(world, "ada"), consented(world, "bo")
        dumped = {
            row.subject_id: GrantToOpen(
                keys.share_ref(row.share), world.purpose_key(), bytes(row.wrapped)
            )
            for row in KeyGrant.objects.select_related("share")
        }

        erase(world, subject)

        gone, kept = store.open_grants([dumped[subject], dumped[other]])
        assert gone is GrantFailure.SHARE_DESTROYED
        assert isinstance(kept, bytes)
        assert Shredding.objects.get().state == "verified"
        assert not SealedRecord.objects.filter(subject_id=subject).exists()
        with pytest.raises(SubjectErased):
            reading.custody_read(controller_id=world.controller_id, subject_id=subject)

    def test_attests_what_another_credential_read(self, world: World, store: EveryProcess) -> None:
        subject = consented(world, "ada")

        erase(world, subject)

        body = DestructionAttestation.objects.get().body
        assert [share["state"] for share in body["shares"]] == ["destroyed"]
        refs = [keys.share_ref(share) for share in KeyShare.objects.filter(subject=None)]
        assert {r.state for r in store.read_destruction(refs)} == {ShareState.DESTROYED}

    def test_reaches_the_share_of_a_creation_that_broke_off(
        self, world: World, store: EveryProcess
    ) -> None:
        with failpoints.installed(break_off), pytest.raises(InterruptedError):
            world.subject("ada")
        refs = [keys.share_ref(share) for share in KeyShare.objects.all()]
        before = {r.state for r in store.read_destruction(refs)}
        world.later(days=1)

        assert abandoned.purge(now=world.now) == 1
        world.later(minutes=10)
        for queue in ("shred", "attest"):
            effects.sweep(queue=queue, now=world.now)

        assert before == {ShareState.LIVE}
        assert {r.state for r in store.read_destruction(refs)} == {ShareState.DESTROYED}
        assert Shredding.objects.get().state == "verified"
        assert reconciling.compare(controller_id=world.controller_id).is_clean

    def test_leaves_stores_that_agree(self, world: World) -> None:
        erase(world, consented(world, "ada"))
        consented(world, "bo")

        report = reconciling.compare(controller_id=world.controller_id)

        assert report.is_clean
        assert report.checked == 2
