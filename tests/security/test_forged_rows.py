"""Attacks on the rows: what a hand in the database can make of grants, and what refuses it.

Each row is forged with the rights of the app role and of the table owner.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError
from django.db.models import Model

from core.unit_of_work import unit_of_work
from tests.fakes.world import World
from vault.errors import CiphertextTampered
from vault.models import Alias, CustodyGrant, KeyGrant, Removal, SealedRecord
from vault.services import grants, key_cache, pages, purpose_keys
from vault.services.grants import CategoryRef

BOTH = pytest.mark.parametrize("role", ["default", "owner"])


@dataclass
class Crime:
    """A world with a consenting victim and an accomplice, and a second purpose."""

    world: World
    victim: UUID
    accomplice: UUID
    other_purpose: UUID

    def grant(self, subject: UUID, purpose: UUID | None = None) -> KeyGrant:
        wanted = purpose or self.world.purpose_id
        return KeyGrant.objects.get(subject_id=subject, purpose_id=wanted)

    def read(self, purpose: UUID | None = None) -> list[bytes]:
        key_cache.cache().clear()
        wanted = purpose or self.world.purpose_id
        page = pages.page(
            purpose_id=wanted,
            wrapping_key=purpose_keys.wrapping_key(wanted),
            categories=[self.world.category.category_id],
        )
        return [row.document for row in page.rows]


@pytest.fixture
def crime(world: World) -> Crime:
    victim, accomplice = world.subject("victim"), world.subject("accomplice")
    world.record(victim, document=b'{"of":"victim"}')
    world.record(accomplice, document=b'{"of":"accomplice"}')
    world.consent(victim)
    world.consent(accomplice)
    made = Crime(world, victim, accomplice, uuid4())
    with unit_of_work():
        purpose_keys.assign(
            controller_id=world.controller_id, purpose_id=made.other_purpose, now=world.now
        )
        ground = grants.open_ground(
            subject_id=accomplice, purpose_id=made.other_purpose, ground=uuid4(), now=world.now
        )
    assert ground is not None
    grants.issue(grounds=[ground], categories=[world.category], now=world.now)
    return made


def copied(row: Model, role: str, **changes: object) -> None:
    """Insert a copy of `row` with `changes`, as `role`."""
    row.pk = None
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(using=role, force_insert=True)


class TestCopiedGrant:
    @BOTH
    def test_of_another_subject_opens_nothing(self, crime: Crime, role: str) -> None:
        stolen, own = crime.grant(crime.victim), crime.grant(crime.accomplice)
        KeyGrant.objects.using(role).filter(pk=own.pk).update(wrapped=stolen.wrapped)

        with pytest.raises(CiphertextTampered):
            crime.read()

    @BOTH
    def test_to_another_purpose_is_refused(self, crime: Crime, role: str) -> None:
        stolen = crime.grant(crime.victim)

        with pytest.raises(DatabaseError, match="late writer"):
            copied(stolen, role, purpose_id=crime.other_purpose)
        assert crime.read(crime.other_purpose) == [b'{"of":"accomplice"}']

    @BOTH
    def test_to_another_purpose_with_its_own_alias_opens_nothing(
        self, crime: Crime, role: str
    ) -> None:
        stolen = crime.grant(crime.victim)
        alias = Alias(
            subject_id=crime.victim,
            purpose_id=crime.other_purpose,
            ground=uuid4(),
            changed_at=crime.world.now,
        )
        alias.save(using=role, force_insert=True)
        copied(stolen, role, purpose_id=crime.other_purpose, alias_id=alias.id, ground=alias.ground)

        with pytest.raises(CiphertextTampered):
            crime.read(crime.other_purpose)

    @BOTH
    def test_of_another_category_opens_nothing(self, crime: Crime, role: str) -> None:
        secret = CategoryRef(uuid4(), "main")
        world, own = crime.world, crime.world.category
        world.category = secret
        world.record(crime.victim, "r2", b'{"of":"secret"}')
        world.category = own
        key = CustodyGrant.objects.get(data_key__category_id=secret.category_id)
        stolen = crime.grant(crime.victim)
        copied(stolen, role, data_key_id=key.data_key_id)

        with pytest.raises(CiphertextTampered):
            crime.read()

    @BOTH
    def test_custody_bytes_open_nothing_for_a_purpose(self, crime: Crime, role: str) -> None:
        own = crime.grant(crime.victim)
        custody = CustodyGrant.objects.get(data_key_id=own.data_key_id)
        KeyGrant.objects.using(role).filter(pk=own.pk).update(wrapped=custody.wrapped)

        with pytest.raises(CiphertextTampered):
            crime.read()


class TestMovedRecord:
    @BOTH
    @pytest.mark.parametrize("field", ["subject", "category", "version", "ciphertext"])
    def test_opens_nothing(self, crime: Crime, role: str, field: str) -> None:
        row = SealedRecord.objects.get(subject_id=crime.victim)
        other = SealedRecord.objects.get(subject_id=crime.accomplice)
        changes: Any = {
            "subject": {"data_key_id": other.data_key_id},
            "category": {"record_id": uuid4()},
            "version": {"version": 9},
            "ciphertext": {"ciphertext": bytes(other.ciphertext)},
        }[field]
        if field == "subject":
            SealedRecord.objects.filter(pk=other.pk).delete()
        SealedRecord.objects.using(role).filter(pk=row.pk).update(**changes)

        with pytest.raises(CiphertextTampered):
            crime.read()


class TestWithdrawnGrant:
    """The row is the permission, so a copy of the row must not be one."""

    @pytest.fixture
    def withdrawn(self, crime: Crime) -> KeyGrant:
        kept = crime.grant(crime.victim)
        with unit_of_work():
            grants.withdraw(
                subject_id=crime.victim,
                purpose_id=crime.world.purpose_id,
                reason=Removal.Reason.WITHDRAWN,
                now=crime.world.now,
            )
        return kept

    @BOTH
    def test_is_not_put_back(self, crime: Crime, withdrawn: KeyGrant, role: str) -> None:
        with pytest.raises(DatabaseError, match="late writer"):
            copied(withdrawn, role)
        assert crime.read() == [b'{"of":"accomplice"}']

    @BOTH
    def test_is_not_put_back_under_a_new_ground(
        self, crime: Crime, withdrawn: KeyGrant, role: str
    ) -> None:
        with pytest.raises(DatabaseError, match="late writer"):
            copied(withdrawn, role, ground=uuid4(), counter=1)

    @BOTH
    def test_is_not_put_back_over_a_living_one(
        self, crime: Crime, withdrawn: KeyGrant, role: str
    ) -> None:
        """A grant of another subject's, rewritten into the one that was withdrawn."""
        living = crime.grant(crime.accomplice)
        same = {
            name: getattr(withdrawn, name)
            for name in ("data_key_id", "subject_id", "share_id", "wrapped")
        }

        with pytest.raises(DatabaseError, match="illegal move"):
            KeyGrant.objects.using(role).filter(pk=living.pk).update(**same)
        assert crime.read() == [b'{"of":"accomplice"}']
