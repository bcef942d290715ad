"""Purposes, consent and the grants that follow, on real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connections

from core import effects
from core.actors import Actor
from core.errors import ServiceError
from core.models import Effect
from core.unit_of_work import unit_of_work
from governance.domain.law import Channel, ConsentDecision, LawfulBasis
from governance.models import Category, ConsentRecord, PurposeVersion
from governance.services import categories, consent, purposes
from governance.services.consent import ConsentDraft
from governance.services.purposes import VersionDraft
from tests.fakes.world import World
from tests.fakes.world import world as make_world
from vault.models import KeyGrant, Removal, Subject
from vault.services import purpose_keys, reading
from vault.services.grants import CategoryRef

SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer"}},
    "required": ["age"],
    "additionalProperties": False,
}


@pytest.fixture
def world(transactional_db: None, tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        purpose_keys.register(made.custodian.available())
        yield made


def staff(world: World) -> Actor:
    return Actor("psn_a", "compliance-officer", world.controller_id, person_id=uuid4())


def category(world: World, *, is_special: bool = False) -> Category:
    made = categories.create(
        controller_id=world.controller_id,
        code="health",
        name="Health",
        schema=SCHEMA,
        is_special=is_special,
        key_group="main",
        actor=world.actor,
        now=world.now,
    )
    world.category = CategoryRef(made.id, made.key_group)
    return made


def draft(basis: LawfulBasis = LawfulBasis.CONSENT) -> VersionDraft:
    return VersionDraft(basis, None, {"health": ["age"]}, retention_days=365)


def activate(world: World, version: VersionDraft | None = None) -> PurposeVersion:
    made = purposes.draft_version(
        controller_id=world.controller_id,
        purpose_id=world.purpose_id,
        draft=version or draft(),
        actor=staff(world),
        now=world.now,
    )
    purposes.activate(
        controller_id=world.controller_id,
        purpose_id=world.purpose_id,
        number=made.number,
        actor=staff(world),
        now=world.now,
    )
    effects.sweep(queue="default", now=world.now)
    return made


def purpose(world: World, version: VersionDraft | None = None) -> PurposeVersion:
    made = purposes.create(
        controller_id=world.controller_id,
        code="health-research",
        name="Research",
        actor=world.actor,
        now=world.now,
    )
    world.purpose_id = made.id
    return activate(world, version)


def decided(world: World, subject: UUID, decision: str = "given", **more: Any) -> ConsentDraft:
    made = ConsentDraft(
        subject_id=subject,
        purpose_id=world.purpose_id,
        decision=ConsentDecision(decision),
        channel=Channel.WEB,
        decided_at=world.now,
        text_digest="0" * 64,
        language="en",
    )
    return replace(made, **more)


def record(world: World, draft_: ConsentDraft) -> consent.ConsentOutcome:
    return consent.record(
        controller_id=world.controller_id, draft=draft_, actor=world.actor, now=world.now
    )


class TestActivate:
    def test_takes_another_person_than_the_drafter(self, world: World) -> None:
        category(world)
        made = purposes.create(
            controller_id=world.controller_id,
            code="research",
            name="R",
            actor=world.actor,
            now=world.now,
        )
        drafter = staff(world)
        purposes.draft_version(
            controller_id=world.controller_id,
            purpose_id=made.id,
            draft=draft(),
            actor=drafter,
            now=world.now,
        )

        with pytest.raises(purposes.SamePerson):
            purposes.activate(
                controller_id=world.controller_id,
                purpose_id=made.id,
                number=1,
                actor=drafter,
                now=world.now,
            )

    def test_gives_existing_subjects_to_a_purpose_without_consent(self, world: World) -> None:
        category(world)
        for name in ("ada", "bo"):
            world.record(world.subject(name))

        purpose(world, draft(LawfulBasis.LEGAL_OBLIGATION))

        assert len(world.page().rows) == 2

    def test_of_a_new_version_carries_no_consent_over(self, world: World) -> None:
        category(world)
        subject = world.subject()
        world.record(subject)
        purpose(world)
        record(world, decided(world, subject))
        assert world.page().rows

        activate(world)

        assert not world.page().rows

    def test_of_a_new_version_lets_nobody_read_by_it_before_older_consent_has_ended(
        self, world: World
    ) -> None:
        category(world)
        purpose(world)
        names = {"controller_id": world.controller_id, "purpose_id": world.purpose_id}
        purposes.draft_version(**names, draft=draft(), actor=staff(world), now=world.now)
        purposes.activate(**names, number=2, actor=staff(world), now=world.now)

        with pytest.raises(purposes.PurposeActivating):
            purposes.active_version(**names)
        effects.sweep(queue="default", now=world.now)
        assert purposes.active_version(**names).number == 2

    def test_goes_on_batch_by_batch_until_every_subject_is_reached(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(purposes, "BATCH", 2)
        category(world)
        for name in ("ada", "bo", "cleo", "dan", "eva"):
            world.record(world.subject(name))

        purpose(world, draft(LawfulBasis.LEGAL_OBLIGATION))

        assert len(world.page().rows) == 5
        assert Effect.objects.filter(kind="governance.activate-purpose", state="done").count() == 3

    @pytest.mark.parametrize("code", ["custody", "lookup", "lethe-x"])
    def test_never_happens_to_a_reserved_code(self, world: World, code: str) -> None:
        with pytest.raises(purposes.ReservedCode):
            purposes.create(
                controller_id=world.controller_id,
                code=code,
                name="x",
                actor=world.actor,
                now=world.now,
            )

    def test_needs_a_condition_for_a_special_category(self, world: World) -> None:
        category(world, is_special=True)

        with pytest.raises(purposes.InvalidVersion, match=r"9\(2\)"):
            purpose(world)


class TestRecord:
    def test_lets_the_purpose_read_at_once(self, world: World) -> None:
        category(world)
        purpose(world)
        subject = world.subject()
        world.record(subject)

        assert record(world, decided(world, subject)).access == "granted"
        assert len(world.page().rows) == 1

    def test_of_a_withdrawal_needs_no_key_store(self, world: World) -> None:
        category(world)
        purpose(world)
        subject = world.subject()
        world.record(subject)
        record(world, decided(world, subject))
        world.custodian.is_down = True

        record(world, decided(world, subject, "withdrawn"))

        assert not KeyGrant.objects.exists()
        assert Removal.objects.get().reason == "withdrawn"

    def test_while_the_key_store_is_down_is_finished_by_an_effect(self, world: World) -> None:
        category(world)
        purpose(world)
        subject = world.subject()
        world.record(subject)
        world.custodian.is_down = True

        assert record(world, decided(world, subject)).access == "pending"
        world.custodian.is_down = False
        world.later(minutes=2)
        effects.sweep(queue="default", now=world.now)

        assert len(world.page().rows) == 1

    def test_of_an_older_decision_changes_nothing(self, world: World) -> None:
        category(world)
        purpose(world)
        subject = world.subject()
        record(world, decided(world, subject, "withdrawn"))

        older = decided(world, subject, decided_at=world.now - timedelta(days=1))

        assert record(world, older).access == "none"
        assert ConsentRecord.objects.count() == 2
        assert not KeyGrant.objects.exists()

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"text_digest": ""}, "consent-text-missing"),
            ({"decided_at": None}, "decided-in-future"),
        ],
        ids=["no text", "future"],
    )
    def test_refuses(self, world: World, change: dict[str, Any], code: str) -> None:
        category(world)
        purpose(world)
        if "decided_at" in change:
            change = {"decided_at": world.now + timedelta(days=1)}
        subject = world.subject()

        with pytest.raises(ServiceError) as caught:
            record(world, decided(world, subject, **change))

        assert caught.value.code == code
        assert not ConsentRecord.objects.exists()

    def test_of_a_decision_ahead_of_our_clock_does_not_outlive_a_withdrawal(
        self, world: World
    ) -> None:
        category(world)
        purpose(world)
        subject = world.subject()
        world.record(subject)
        ahead = decided(world, subject, decided_at=world.now + timedelta(minutes=4))
        record(world, ahead)

        record(world, decided(world, subject, "withdrawn"))

        assert not KeyGrant.objects.exists()
        assert not world.page().rows

    def test_of_one_person_twice_in_a_batch_keeps_the_others(self, world: World) -> None:
        category(world)
        purpose(world)
        ada, bo = world.subject("ada"), world.subject("bo")
        drafts = [decided(world, person) for person in (ada, ada, bo)]

        consent.record_many(
            controller_id=world.controller_id, drafts=drafts, actor=world.actor, now=world.now
        )

        assert set(KeyGrant.objects.values_list("subject_id", flat=True)) == {ada, bo}

    def test_to_a_version_that_was_replaced_meanwhile_is_refused(self, world: World) -> None:
        category(world)
        old = purpose(world)
        subject = world.subject()
        activate(world)

        with unit_of_work():
            (held,) = purposes.held_in_force([old])

        assert isinstance(held, purposes.PurposeActivating)
        assert record(world, decided(world, subject)).record.purpose_version_id != old.id

    def test_to_the_new_version_survives_the_end_of_older_ones(self, world: World) -> None:
        category(world)
        old = purpose(world)
        subject = world.subject()
        world.record(subject)
        record(world, decided(world, subject))
        new = activate(world)
        record(world, decided(world, subject))

        purposes.activate_batch(version_id=new.id, after=None, now=world.now)
        purposes.activate_batch(version_id=old.id, after=None, now=world.now)

        assert len(world.page().rows) == 1

    def test_names_no_subject_in_its_rows(self, world: World) -> None:
        category(world)
        purpose(world)
        subject = world.subject()
        kept = record(world, decided(world, subject)).record

        assert kept.trail_id == Subject.objects.get(id=subject).trail_id
        assert subject not in {value for value in vars(kept).values() if isinstance(value, UUID)}

    def test_is_never_rewritten_by_the_app_role(self, world: World) -> None:
        category(world)
        purpose(world)
        record(world, decided(world, world.subject()))

        with pytest.raises(DatabaseError, match="permission denied"):
            ConsentRecord.objects.update(decision="refused")
        connections["default"].close()
        with pytest.raises(DatabaseError, match="permission denied"):
            ConsentRecord.objects.all().delete()


class TestRecordMany:
    def test_answers_each_line_in_its_place(self, world: World) -> None:
        category(world)
        purpose(world)
        ada, bo = world.subject("ada"), world.subject("bo")
        stranger = replace(world, controller_id=uuid4()).subject("ada")
        drafts = [
            decided(world, ada),
            decided(world, stranger),
            decided(world, bo, text_digest=""),
            decided(world, bo, "refused"),
            decided(world, ada, purpose_id=uuid4()),
        ]

        outcomes = consent.record_many(
            controller_id=world.controller_id, drafts=drafts, actor=world.actor, now=world.now
        )

        assert [getattr(one, "access", getattr(one, "code", "")) for one in outcomes] == [
            "granted", "subject-not-found", "consent-text-missing", "none", "purpose-not-found"
        ]  # fmt: skip
        assert ConsentRecord.objects.count() == 2

    def test_acts_on_the_last_decision_of_a_person(self, world: World) -> None:
        category(world)
        purpose(world)
        subject = world.subject()
        world.record(subject)

        outcomes = consent.record_many(
            controller_id=world.controller_id,
            drafts=[decided(world, subject), decided(world, subject, "withdrawn")],
            actor=world.actor,
            now=world.now,
        )

        assert not any(isinstance(one, ServiceError) for one in outcomes)
        assert not world.page().rows

    def test_promises_the_rest_by_one_effect_that_names_no_subject(self, world: World) -> None:
        category(world)
        purpose(world)
        people = [world.subject(f"p{number}") for number in range(3)]
        for person in people:
            world.record(person)
        world.custodian.is_down = True
        consent.record_many(
            controller_id=world.controller_id,
            drafts=[decided(world, person) for person in people],
            actor=world.actor,
            now=world.now,
        )
        world.custodian.is_down = False
        promised = Effect.objects.get(kind="governance.activate-consents")
        assert not any(str(person) in str(promised.payload) for person in people)

        world.later(minutes=2)
        effects.sweep(queue="default", now=world.now)

        assert len(world.page().rows) == 3


class TestCounts:
    def test_say_why_each_subject_is_out(self, world: World) -> None:
        category(world)
        purpose(world)
        for name, decision in (("ada", "given"), ("bo", "refused"), ("cleo", None)):
            subject = world.subject(name)
            if decision:
                record(world, decided(world, subject, decision))

        assert consent.counts(controller_id=world.controller_id, purpose_id=world.purpose_id) == {
            "subjects": 3,
            "given": 1,
            "refused": 1,
            "withdrawn": 0,
            "undecided": 1,
        }


def test_custody_reads_stay_possible_without_any_purpose(world: World) -> None:
    category(world)
    subject = world.subject()
    world.record(subject)

    opened = reading.custody_read(controller_id=world.controller_id, subject_id=subject)

    assert [one.document for one in opened] == [b'{"age":41}']
