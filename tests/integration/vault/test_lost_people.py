"""People whose key is lost: what can still be done with them, and what ends it."""

from uuid import UUID, uuid4

import pytest
from pytest_django import Settings

from core import effects
from core.unit_of_work import unit_of_work
from tests.fakes.losses import find, lose_bo, put_back, read, state_of
from tests.fakes.site import Site
from vault.domain.gate import Reason
from vault.errors import KeyLost
from vault.models import (
    DestructionAttestation,
    KeyGrant,
    KeyShare,
    Rekey,
    SealedRecord,
    Subject,
)
from vault.services import (
    expiring,
    grants,
    keys,
    losing,
    reading,
    rekeying,
    sealing,
)
from vault.services.grants import CategoryRef
from vault.services.sealing import RecordDraft


def draft(site: Site, subject_id: UUID, group: str = "main") -> RecordDraft:
    category = site.world.category.category_id if group == "main" else uuid4()
    return RecordDraft(subject_id, category, group, site.world.source_id, "r2", b'{"n":2}')


class TestWrites:
    def test_are_refused_and_make_no_second_key(self, site: Site) -> None:
        _, bo, _ = lose_bo(site)

        outcome = site.world.record(bo, "r2")

        assert outcome.outcome == "key-lost"
        assert KeyShare.objects.filter(subject=bo).count() == 1

    def test_of_others_in_the_same_call_go_on(self, site: Site) -> None:
        ada, bo, _ = lose_bo(site)

        outcomes = sealing.put_many(
            controller_id=site.world.controller_id,
            drafts=[draft(site, ada), draft(site, bo), draft(site, bo, "logs")],
            actor=site.world.actor,
            now=site.world.now,
        )

        assert [one.outcome for one in outcomes] == ["created", "key-lost", "created"]

    def test_of_new_data_keys_are_refused(self, site: Site) -> None:
        _, bo, _ = lose_bo(site)

        with pytest.raises(KeyLost):
            keys.open_data_keys(
                wanted=[keys.Want(bo, uuid4(), "main")], now=site.world.now
            )  # fmt: skip

        assert KeyShare.objects.filter(subject=bo).count() == 1

    def test_work_again_with_the_old_key_once_it_is_found(self, site: Site) -> None:
        _, bo, newer = lose_bo(site)
        put_back(site, newer)
        find(site)

        assert site.world.record(bo, "r2").outcome == "created"
        assert len(read(site, bo)) == 2


class TestGrants:
    def test_of_all_others_are_made(self, site: Site) -> None:
        ada, bo, _ = lose_bo(site)
        grounds = [site.world.open_ground(subject) for subject in (ada, bo)]
        assert not KeyGrant.objects.exists()

        with pytest.raises(KeyLost):
            grants.issue(grounds=grounds, categories=[site.world.category], now=site.world.now)

        assert set(KeyGrant.objects.values_list("subject_id", flat=True)) == {ada}


class TestRekey:
    def test_of_what_is_lost_is_refused(self, site: Site) -> None:
        _, bo, _ = lose_bo(site)

        with pytest.raises(KeyLost), unit_of_work():
            rekeying.suspect_leak(
                controller_id=site.world.controller_id, subject_id=bo, group="main",
                actor=site.world.actor, now=site.world.now,
            )  # fmt: skip

    def test_waits_while_its_old_key_is_lost(self, site: Site, settings: Settings) -> None:
        settings.LETHE_REKEY_SWAP_HOURS = settings.LETHE_REKEY_DESTROY_HOURS = 0
        older = site.snapshot()
        bo = site.person("bo")
        newer = site.snapshot()
        with unit_of_work():
            rekeying.suspect_leak(
                controller_id=site.world.controller_id, subject_id=bo, group="main",
                actor=site.world.actor, now=site.world.now,
            )  # fmt: skip
        put_back(site, older)
        find(site)
        site.world.later(minutes=10)
        effects.sweep(queue="default", now=site.world.now)
        assert Rekey.objects.get().state == "planned"

        put_back(site, newer)
        find(site)
        for _ in range(3):
            site.run()
            effects.sweep(queue="default", now=site.world.now)

        assert Rekey.objects.get().state == "done"
        assert read(site, bo) == [b'{"name":"bo"}']


class TestRead:
    def test_of_what_lies_under_no_key_in_use_says_lost(self, site: Site) -> None:
        """However it came about: a record that is there and cannot be opened is never silence."""
        bo = site.person("bo")
        KeyShare.objects.filter(subject=bo).update(state="retired")

        with pytest.raises(KeyLost):
            read(site, bo)


class TestErasure:
    def test_of_the_lost_ends_as_any_other(self, site: Site) -> None:
        _, bo, _ = lose_bo(site)

        erasure_id = site.erase(bo)

        assert Subject.objects.get(id=bo).state == "erased"
        share = KeyShare.objects.get(shreddingshare__shredding=erasure_id)
        assert share.state == "absent"
        body = DestructionAttestation.objects.get().body
        named = {one["share"] for one in body["shares"]}
        assert losing.digests(erasure_id=erasure_id) == named

    def test_destroys_the_share_if_the_right_snapshot_comes_later(self, site: Site) -> None:
        _, bo, newer = lose_bo(site)
        kid = KeyShare.objects.get(subject=bo).kid.bytes
        site.erase(bo)

        put_back(site, newer)
        assert site.tend() is Reason.KEY_STORE_BEHIND
        site.replay()

        assert site.world.custodian.shares[kid] is None
        assert site.readable() == {b'{"name":"ada"}'}

    def test_called_off_by_a_lock_leaves_it_lost(self, site: Site) -> None:
        _, bo, _ = lose_bo(site)
        site.fence(bo)

        site.lock(bo)

        assert (Subject.objects.get(id=bo).state, state_of(bo)) == ("live", "lost")

    def test_called_off_of_one_lost_meanwhile_says_lost(self, site: Site) -> None:
        older = site.snapshot()
        bo = site.person("bo")
        site.fence(bo)
        put_back(site, older)
        find(site)

        site.lock(bo)

        assert state_of(bo) == "lost"
        with pytest.raises(KeyLost):
            read(site, bo)

    def test_called_off_of_one_found_again_meanwhile_lets_it_be_read(self, site: Site) -> None:
        """Lost, fenced, the right snapshot put back, called off: nothing of it may be missing."""
        _, bo, newer = lose_bo(site)
        site.fence(bo)
        put_back(site, newer)
        find(site)

        site.lock(bo)

        assert (Subject.objects.get(id=bo).state, state_of(bo)) == ("live", "live")
        assert read(site, bo) == [b'{"name":"bo"}']
        assert b'{"name":"bo"}' in site.readable()

    def test_called_off_after_it_was_found_and_lost_again_says_lost(self, site: Site) -> None:
        older = site.snapshot()
        _, bo, newer = lose_bo(site)
        site.fence(bo)
        for snapshot in (newer, older):
            put_back(site, snapshot)
            find(site)

        site.lock(bo)

        assert state_of(bo) == "lost"

    def test_of_what_never_was_is_not_called_lost(self, site: Site) -> None:
        site.person("ada")
        bo = site.person("bo")
        with unit_of_work():
            KeyShare.objects.create(
                kid=uuid4(), subject_id=bo, controller_id=site.world.controller_id,
                group="logs", state="planned", planned_at=site.world.now,
            )  # fmt: skip
        site.fence(bo)

        assert find(site).lost == 0


class TestExpiry:
    def test_of_a_lost_group_ends_it_and_leaves_the_person(self, site: Site) -> None:
        ada = site.person("ada")
        older = site.snapshot()
        category, site.world.category = site.world.category, CategoryRef(uuid4(), "logs")
        site.world.record(ada, "l1", b'{"log":1}')
        put_back(site, older)
        find(site)
        controller_id, now = site.world.controller_id, site.world.later(hours=1)

        due = expiring.due(
            controller_id=controller_id, group="logs", before=now, after=UUID(int=0), limit=9
        )
        with unit_of_work():
            ended = expiring.expire(
                controller_id=controller_id, subject_id=ada, group="logs",
                actor=site.world.actor, open_leases=0, now=now,
            )  # fmt: skip
        site.run()

        assert due == [ada]
        assert KeyShare.objects.get(group="logs").state == "absent"
        assert losing.digests(erasure_id=ended.erasure_id)
        assert read(site, ada) == [b'{"name":"ada"}']
        assert site.world.record(ada, "l2", b'{"log":2}').outcome == "created"
        site.world.category = category

    def test_of_one_record_says_that_the_rest_cannot_be_kept(self, site: Site) -> None:
        _, bo, _ = lose_bo(site)
        record = SealedRecord.objects.get(subject=bo)

        with pytest.raises(KeyLost), unit_of_work():
            rekeying.erase_record(
                controller_id=site.world.controller_id, record_id=record.record_id,
                expected_version=1, actor=site.world.actor, now=site.world.now,
            )  # fmt: skip

        assert SealedRecord.objects.filter(id=record.id).exists()


class TestOtherGroups:
    def test_are_readable_while_one_is_lost(self, site: Site) -> None:
        """A group that was made after the snapshot is lost; the person's other one is not."""
        ada = site.person("ada")
        older = site.snapshot()
        main, site.world.category = site.world.category, CategoryRef(uuid4(), "logs")
        site.world.record(ada, "l1", b'{"log":1}')
        site.world.category = main
        put_back(site, older)
        find(site)

        rows = reading.custody_read(
            controller_id=site.world.controller_id, subject_id=ada,
            category_ids=[main.category_id],
        )  # fmt: skip

        assert [row.document for row in rows] == [b'{"name":"ada"}']
        with pytest.raises(KeyLost):
            read(site, ada)
