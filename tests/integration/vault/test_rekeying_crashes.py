"""A re-key broken off at every named point, and answers of the key store that were lost."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from core import effects, failpoints
from tests.fakes import backups
from tests.fakes.points import Killed
from tests.fakes.rekeys import Office, state
from tests.fakes.rekeys import office as make_office
from tests.fakes.world import World
from vault.models import DestructionAttestation, PendingEntry, Rekey, SealedRecord


@pytest.fixture
def office(world: World, settings: Settings) -> Iterator[Office]:
    settings.LETHE_BACKUPS_ATTESTED = backups.PATH
    with make_office(world) as made:
        yield made


POINTS = [
    "vault.rekey.planned",
    "vault.rekey.created",
    "vault.rekey.resealing",
    "vault.rekey.keys-made",
    "vault.rekey.keys-stored",
    "vault.rekey.resealed",
    "vault.rekey.wrapped",
    "vault.rekey.swapping",
    "vault.rekey.swapped",
    "vault.rekey.destroying",
    "vault.rekey.fenced",
    "vault.destroy.destroyed",
    "vault.sweep.before-commit",
]


class TestCrash:
    @pytest.mark.parametrize("point", POINTS)
    def test_at_each_point_completes_once_after_restart(self, office: Office, point: str) -> None:
        hits: list[str] = []

        def kill(reached: str) -> None:
            if reached == point and not hits:
                hits.append(reached)
                raise Killed

        office.erase()
        with failpoints.installed(kill):
            for _ in range(8):
                for store in ("key-store", "database"):
                    office.back_up(store)
                for queue in ("default", "shred", "attest"):
                    office.world.later(minutes=10)
                    run(office, queue)

        assert hits == [point]
        assert state() == "done"
        assert office.shares() == [("destroyed", False), ("live", True)]
        assert office.documents() == {b'{"n":4}'}
        assert office.versions(office.kept) == [b'{"n":3}', b'{"n":4}']
        assert SealedRecord.objects.count() == 2
        assert DestructionAttestation.objects.count() == 1

    def test_before_the_request_commits_leaves_nothing(self, office: Office) -> None:
        def kill(reached: str) -> None:
            if reached == "vault.rekey.requested":
                raise Killed

        with failpoints.installed(kill), pytest.raises(Killed):
            office.erase()

        assert office.versions(office.gone) == [b'{"n":1}', b'{"n":2}']
        assert office.shares() == [("live", True)]
        assert not Rekey.objects.exists()
        assert not PendingEntry.objects.filter(kind="rekey").exists()

    @pytest.mark.parametrize("call", ["create_shares", "make_grants"])
    def test_reads_back_after_a_lost_answer(self, office: Office, call: str) -> None:
        office.erase()
        if call == "make_grants":
            office.work()
            office.back_up("key-store")
        office.world.custodian.lost_answers.add(call)
        for _ in range(2):
            office.work()
            office.back_up("key-store")
        office.work()
        office.end()

        assert state() == "done"
        assert office.documents() == {b'{"n":4}'}

    def test_begins_with_another_share_when_the_key_store_forgot_the_new_one(
        self, office: Office
    ) -> None:
        office.erase()
        office.work()
        lost = Rekey.objects.get().new_share_id
        del office.world.custodian.shares[lost.bytes]
        office.back_up("key-store")
        office.work()
        assert state() == "created"

        office.back_up("key-store")
        office.work()
        office.end()

        assert state() == "done"
        assert Rekey.objects.get().new_share_id != lost
        assert office.documents() == {b'{"n":4}'}


def run(office: Office, queue: str) -> None:
    try:
        effects.sweep(queue=queue, now=office.world.now)
    except Killed:
        office.world.later(minutes=10)
