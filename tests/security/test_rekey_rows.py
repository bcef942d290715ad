"""Rows of a re-key that somebody forges, moves or puts back, as the app or as the owner."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.db import DatabaseError
from pytest_django import Settings

from core import failpoints
from tests.fakes import backups
from tests.fakes.points import Killed
from tests.fakes.rekeys import Office, lock
from tests.fakes.rekeys import office as make_office
from tests.fakes.world import World
from vault.models import DataKey, KeyGrant, KeyShare, Rekey, SealedRecord, Shredding, ShredLock

BOTH = pytest.mark.parametrize("role", ["default", "owner"])


@pytest.fixture
def office(world: World, settings: Settings) -> Iterator[Office]:
    settings.LETHE_BACKUPS_ATTESTED = backups.PATH
    with make_office(world) as made:
        yield made


def sealed_anew(office: Office) -> Rekey:
    """A re-key that broke off when every row had its second one."""
    office.leak()
    office.work()
    office.back_up("key-store")

    def kill(reached: str) -> None:
        if reached == "vault.rekey.wrapped":
            raise Killed

    with failpoints.installed(kill), pytest.raises(Killed):
        office.work()
    return Rekey.objects.get()


@BOTH
class TestSuccessor:
    def test_takes_no_grant_before_the_swap(self, office: Office, role: str) -> None:
        rekey = sealed_anew(office)
        grant = KeyGrant.objects.get()
        grant.pk, grant.share_id = None, rekey.new_share_id
        grant.data_key = DataKey.objects.get(
            share=rekey.new_share_id, category_id=grant.category_id
        )

        with pytest.raises(DatabaseError, match="late writer"):
            grant.save(using=role, force_insert=True)

    def test_is_one_and_never_live_beside_the_live_one(self, office: Office, role: str) -> None:
        rekey = sealed_anew(office)
        shares = KeyShare.objects.using(role)

        with pytest.raises(DatabaseError, match="one_open_share"):
            shares.filter(kid=rekey.new_share_id).update(state="live")
        with pytest.raises(DatabaseError, match="one_successor"):
            shares.create(
                kid=uuid4(),
                subject_id=office.subject,
                controller_id=office.world.controller_id,
                group="main",
                state="successor",
                planned_at=office.world.now,
            )

    def test_shows_no_second_row_as_current(self, office: Office, role: str) -> None:
        rekey = sealed_anew(office)
        second = SealedRecord.objects.using(role).filter(data_key__share=rekey.new_share_id)
        second.filter(version=2).update(is_current=True)

        assert office.documents() == {b'{"n":2}', b'{"n":4}'}
        assert len(office.world.page().rows) == 2


@BOTH
class TestRetiredShare:
    def test_takes_nothing_after_the_swap(self, office: Office, role: str) -> None:
        office.leak()
        office.swap()
        old = SealedRecord.objects.filter(data_key__share__state="retired").first()
        assert old is not None
        old.id, old.version = uuid4(), 9

        with pytest.raises(DatabaseError, match="late writer"):
            old.save(using=role, force_insert=True)

    def test_does_not_come_back_beside_the_new_one(self, office: Office, role: str) -> None:
        office.leak()
        office.swap()

        with pytest.raises(DatabaseError, match="one_open_share"):
            KeyShare.objects.using(role).filter(state="retired").update(state="live")


@BOTH
class TestPart:
    @pytest.mark.parametrize("scope", ["group", "rekey"])
    def test_is_not_shredded_past_a_lock_on_its_category(
        self, office: Office, role: str, scope: str
    ) -> None:
        lock(office.world, ShredLock.Scope.CATEGORY, office.world.category.category_id)

        with pytest.raises(DatabaseError, match="a lock forbids"):
            Shredding.objects.using(role).create(
                erasure_id=uuid4(),
                controller_id=office.world.controller_id,
                subject_id=office.subject,
                scope=scope,
                group="main",
                state="fenced",
                fenced_at=office.world.now,
                drain_until=office.world.now,
            )
