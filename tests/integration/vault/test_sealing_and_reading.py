"""Records in and out: versions, grants, pages, forged rows."""

from datetime import timedelta
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from core.unit_of_work import unit_of_work
from tests.fakes.world import World
from vault.domain.lookup import Reference
from vault.errors import (
    CiphertextTampered,
    CustodianUnavailable,
    KeyLost,
    PageTooLate,
    SubjectErased,
    SubjectNotFound,
)
from vault.models import Alias, KeyGrant, KeyShare, Removal, SealedRecord, Subject
from vault.services import grants, key_cache, reading, subjects


class TestCreateMany:
    def test_answers_existing_for_a_known_reference(self, world: World) -> None:
        first = world.subject("ada")

        assert world.subject("ada") == first
        assert Subject.objects.count() == 1

    def test_creates_one_subject_for_the_same_draft_twice_in_a_batch(self, world: World) -> None:
        outcomes = subjects.create_many(
            controller_id=world.controller_id,
            drafts=[world.draft("ada"), world.draft("ada")],
            actor=world.actor,
            now=world.now,
        )

        assert [o.outcome for o in outcomes] == ["created", "existing"]
        assert outcomes[0].subject_id == outcomes[1].subject_id

    def test_leaves_nothing_findable_when_the_key_store_answer_is_lost(self, world: World) -> None:
        world.custodian.lost_answers.add("create_shares")

        with pytest.raises(CustodianUnavailable):
            world.subject("ada")

        reference = Reference("customer-number", "ada")
        (found,) = subjects.resolve_many(controller_id=world.controller_id, references=[reference])
        assert found.state == "unknown"
        assert world.subject("ada") is not None

    def test_hides_subjects_of_another_controller(self, world: World) -> None:
        subject = world.subject("ada")

        with pytest.raises(SubjectNotFound):
            subjects.get(controller_id=uuid4(), subject_id=subject)
        (found,) = subjects.resolve_many(
            controller_id=uuid4(), references=[Reference("customer-number", "ada")]
        )
        assert found.state == "unknown"


class TestPutMany:
    def test_makes_a_new_version_of_changed_content_only(self, world: World) -> None:
        subject = world.subject()

        outcomes = [
            world.record(subject, document=document)
            for document in (b'{"age":41}', b'{"age":41}', b'{"age":42}')
        ]

        assert [o.outcome for o in outcomes] == ["created", "unchanged", "updated"]
        assert [o.version for o in outcomes] == [1, 1, 2]
        record_id = outcomes[0].record_id
        assert record_id is not None
        versions = reading.versions(controller_id=world.controller_id, record_id=record_id)
        assert [v.document for v in versions] == [b'{"age":41}', b'{"age":42}']

    def test_stores_nothing_while_the_key_store_is_down(self, world: World) -> None:
        subject = world.subject()
        world.custodian.is_down = True

        with pytest.raises(CustodianUnavailable):
            world.record(subject)

        assert not SealedRecord.objects.exists()

    def test_adopts_a_data_key_whose_answer_was_lost(self, world: World) -> None:
        subject = world.subject()
        world.custodian.lost_answers.add("make_grants")

        with pytest.raises(CustodianUnavailable):
            world.record(subject)

        assert world.record(subject).outcome == "created"

    def test_says_key_lost_when_the_share_is_gone_from_the_store(self, world: World) -> None:
        subject = world.subject()
        world.record(subject)
        world.custodian.shares.clear()
        key_cache.cache().clear()

        with pytest.raises(KeyLost):
            world.record(subject, "r2")


class TestPage:
    def test_reads_granted_records_in_alias_order_page_by_page(self, world: World) -> None:
        for name in ("ada", "bo", "cleo"):
            subject = world.subject(name)
            for number in range(3):
                world.record(subject, f"r{number}", b'{"n":%d}' % number)
            world.consent(subject)

        rows, position = [], None
        while True:
            part = world.page(limit=2, after=position)
            rows += part.rows
            position = part.last
            if position is None:
                break

        assert len(rows) == 9
        assert [r.alias for r in rows] == sorted(r.alias for r in rows)
        assert len({r.reference for r in rows}) == 9

    def test_splits_cover_every_record_once(self, world: World) -> None:
        for number in range(12):
            subject = world.subject(f"s{number}")
            world.record(subject)
            world.consent(subject)

        parts = [world.page(split=(index, 3)).rows for index in range(3)]

        references = [row.reference for part in parts for row in part]
        assert len(references) == len(set(references)) == 12

    def test_has_records_whose_consent_came_first(self, world: World) -> None:
        subject = world.subject()
        world.consent(subject)
        world.record(subject)

        assert [row.document for row in world.page().rows] == [b'{"age":41}']

    def test_may_not_be_written_after_its_deadline(self, world: World, settings: Settings) -> None:
        settings.LETHE_PAGE_DEADLINE = timedelta(seconds=-1)
        subject = world.subject()
        world.record(subject)
        world.consent(subject)

        with pytest.raises(PageTooLate):
            world.page().require_in_time()

    def test_is_empty_after_withdrawal_even_with_a_warm_cache(self, world: World) -> None:
        subject = world.subject()
        world.record(subject)
        world.consent(subject)
        assert world.page().rows

        with unit_of_work():
            grants.withdraw(
                subject_id=subject,
                purpose_id=world.purpose_id,
                reason=Removal.Reason.WITHDRAWN,
                now=world.now,
            )

        assert not world.page().rows
        assert Removal.objects.get().alias == Alias.objects.get().id

    def test_refuses_a_grant_row_moved_to_another_subject(self, world: World) -> None:
        ada, mallory = world.subject("ada"), world.subject("mallory")
        for subject in (ada, mallory):
            world.record(subject)
            world.consent(subject)
        stolen = bytes(KeyGrant.objects.get(subject_id=ada).wrapped)
        KeyGrant.objects.filter(subject_id=mallory).update(wrapped=stolen)

        with pytest.raises(CiphertextTampered):
            world.page()

    def test_refuses_a_record_moved_to_another_version(self, world: World) -> None:
        subject = world.subject()
        world.record(subject)
        world.consent(subject)
        SealedRecord.objects.update(version=7)

        with pytest.raises(CiphertextTampered):
            world.page()


class TestIssue:
    def test_makes_no_grant_for_a_ground_that_was_withdrawn_meanwhile(self, world: World) -> None:
        subject = world.subject()
        world.record(subject)
        ground = world.open_ground(subject)
        with unit_of_work():
            grants.withdraw(
                subject_id=subject,
                purpose_id=world.purpose_id,
                reason=Removal.Reason.WITHDRAWN,
                now=world.now,
            )

        report = grants.issue(grounds=[ground], categories=[world.category], now=world.now)

        assert (report.issued, report.stale) == (0, 1)
        assert not KeyGrant.objects.exists()

    def test_makes_one_grant_when_repeated(self, world: World) -> None:
        subject = world.subject()
        world.record(subject)
        ground = world.consent(subject)

        grants.issue(grounds=[ground], categories=[world.category], now=world.now)

        assert KeyGrant.objects.count() == 1


class TestCustodyRead:
    def test_refuses_a_fenced_subject(self, world: World) -> None:
        subject = world.subject()
        world.record(subject)
        Subject.objects.update(state="fenced")
        KeyShare.objects.update(state="retired", retired_at=world.now + timedelta(0))

        with pytest.raises(SubjectErased):
            reading.custody_read(controller_id=world.controller_id, subject_id=subject)

    def test_opens_all_categories_of_a_live_subject(self, world: World) -> None:
        subject = world.subject()
        world.record(subject)

        (opened,) = reading.custody_read(controller_id=world.controller_id, subject_id=subject)

        assert opened.document == b'{"age":41}'
