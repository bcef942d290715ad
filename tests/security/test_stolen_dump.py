"""The attack: a whole database dump is stolen together with a stream's credential for Vault."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from core import effects
from core.unit_of_work import unit_of_work
from tests.fakes.world import World
from tests.fakes.world import world as make_world
from tests.security import dumps
from tests.servers.roles import EveryProcess
from tests.servers.vaultd import VaultServer
from vault.domain.binding import record_binding
from vault.domain.envelope import NotAuthentic, open_sealed
from vault.errors import CustodianRefused
from vault.models import Removal
from vault.ports import GrantToOpen, KeyCustodian, ShareRef
from vault.services import grants, purpose_keys, shredding

pytestmark = pytest.mark.vault


@pytest.fixture
def world(transactional_db: None, tmp_path: Path, vault_server: VaultServer) -> Iterator[World]:
    with make_world(tmp_path, EveryProcess(vault_server)) as made:
        yield made


@dataclass
class Thief:
    """Tries every wrapped key of a dump with every share and every key name there is."""

    custodian: KeyCustodian
    key_names: list[str]

    def documents(self, dump: Path) -> set[bytes]:
        keys = {key for wrapped in self._wrapped(dump) for key in self._opened(dump, wrapped)}
        return {document for key in keys for document in _readable(dump, key)}

    def _wrapped(self, dump: Path) -> set[bytes]:
        tables = ("vault_keygrant", "vault_custodygrant")
        return {dumps.binary(row["wrapped"]) for name in tables for row in dumps.rows(dump, name)}

    def _opened(self, dump: Path, wrapped: bytes) -> set[bytes]:
        shares = dumps.rows(dump, "vault_keyshare")
        refs = [ShareRef(UUID(row["kid"]).bytes, UUID(row["controller_id"])) for row in shares]
        found = set()
        for name in self.key_names:
            try:
                answers = self.custodian.open_grants(
                    [GrantToOpen(ref, name, wrapped) for ref in refs]
                )
            except CustodianRefused:
                continue
            found |= {answer for answer in answers if isinstance(answer, bytes)}
        return found


def _readable(dump: Path, key: bytes) -> Iterator[bytes]:
    """What `key` opens of the dump's records, each under the binding that the dump gives it."""
    controllers = {row["id"]: row["controller_id"] for row in dumps.rows(dump, "vault_subject")}
    for row in dumps.rows(dump, "vault_sealedrecord"):
        bound = record_binding(
            controller=UUID(controllers[row["subject_id"]]),
            subject=UUID(row["subject_id"]),
            category=UUID(row["category_id"]),
            data_key=UUID(row["data_key_id"]),
            record=UUID(row["record_id"]),
            version=int(row["version"]),
        )
        try:
            yield open_sealed(key=key, binding=bound, sealed=dumps.binary(row["ciphertext"]))
        except NotAuthentic:
            continue


@pytest.fixture
def thief(world: World, vault_server: VaultServer) -> Thief:
    """Holds the credential of a stream that opens the world's purpose and no other."""
    key = world.purpose_key()
    vault_server.administration.attach(stream="thief", purposes=[key])
    names = [*vault_server.pool, "custody"]
    return Thief(vault_server.custodian("stream-thief"), names)


def person(world: World, name: str) -> UUID:
    subject = world.subject(name)
    world.record(subject, document=name.encode())
    return subject


def consents_to_another_purpose(world: World, subject: UUID) -> None:
    purpose = uuid4()
    with unit_of_work():
        purpose_keys.assign(controller_id=world.controller_id, purpose_id=purpose, now=world.now)
        ground = grants.open_ground(
            subject_id=subject, purpose_id=purpose, ground=uuid4(), now=world.now
        )
    assert ground is not None
    grants.issue(grounds=[ground], categories=[world.category], now=world.now)


def withdraw(world: World, subject: UUID) -> None:
    with unit_of_work():
        grants.withdraw(
            subject_id=subject,
            purpose_id=world.purpose_id,
            reason=Removal.Reason.WITHDRAWN,
            now=world.now,
        )


def erase(world: World, subject: UUID) -> None:
    with unit_of_work():
        shredding.fence(
            subject_id=subject, erasure_id=uuid4(), actor=world.actor, open_leases=0, now=world.now
        )
    world.later(minutes=10)
    effects.sweep(queue="shred", now=world.now)


class TestDumpAndStreamCredential:
    def test_open_only_the_purpose_s_live_grants(
        self, world: World, thief: Thief, tmp_path: Path
    ) -> None:
        people = {
            name: person(world, name)
            for name in ("consents", "consents-elsewhere", "never-asked", "withdrawn", "erased")
        }
        for name in ("consents", "withdrawn", "erased"):
            world.consent(people[name])
        consents_to_another_purpose(world, people["consents-elsewhere"])
        withdraw(world, people["withdrawn"])
        erase(world, people["erased"])

        found = thief.documents(dumps.take(tmp_path / "now.sql"))

        assert found == {b"consents"}

    def test_open_nobody_who_was_erased_since(
        self, world: World, thief: Thief, tmp_path: Path
    ) -> None:
        people = {name: person(world, name) for name in ("stays", "goes")}
        for subject in people.values():
            world.consent(subject)
        old = dumps.take(tmp_path / "old.sql")
        before = thief.documents(old)

        erase(world, people["goes"])

        assert before == {b"stays", b"goes"}
        assert thief.documents(old) == {b"stays"}

    def test_without_the_credential_open_nothing(self, world: World, tmp_path: Path) -> None:
        world.consent(person(world, "says-yes"))

        dump = dumps.take(tmp_path / "now.sql")

        assert b"says-yes" not in dump.read_bytes()
        values = {dumps.binary(row["wrapped"]) for row in dumps.rows(dump, "vault_keygrant")}
        keys = {value[start : start + 32] for value in values for start in range(len(value) - 31)}
        assert not [document for key in keys for document in _readable(dump, key)]
