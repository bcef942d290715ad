"""The erasure machine from fence to attestation, and a crash at every named point."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError

from core import effects, failpoints
from core.models import AuditEvent, Effect
from core.unit_of_work import unit_of_work
from tests.fakes.points import ATTESTER, ERASER, Killed
from tests.fakes.world import World
from vault.domain.lookup import Reference
from vault.errors import ShredBlocked, SubjectErased, TooLate
from vault.models import (
    Alias,
    CustodyGrant,
    DataKey,
    DestructionAttestation,
    KeyGrant,
    KeyShare,
    LookupTag,
    Removal,
    SealedOpening,
    SealedRecord,
    Shredding,
    ShredLock,
    Subject,
)
from vault.services import grants, locks, reading, shredding, subjects

POINTS = [*ERASER, *ATTESTER]
HELD = (Alias, CustodyGrant, DataKey, KeyGrant, LookupTag, SealedOpening, SealedRecord)


def fence(world: World, subject_id: UUID) -> UUID:
    erasure_id = uuid4()
    with unit_of_work():
        shredding.fence(
            subject_id=subject_id,
            erasure_id=erasure_id,
            actor=world.actor,
            open_leases=0,
            now=world.now,
        )
    return erasure_id


def finish(world: World) -> None:
    world.later(minutes=10)
    for queue in ("shred", "attest"):
        effects.sweep(queue=queue, now=world.now)


def erased(world: World, name: str = "ada") -> tuple[UUID, UUID]:
    subject = world.subject(name)
    world.record(subject)
    world.consent(subject)
    return subject, fence(world, subject)


class TestErasure:
    def test_destroys_sweeps_and_attests(self, world: World) -> None:
        other = world.subject("bo")
        world.record(other)
        subject, erasure_id = erased(world)
        held_before = {model: model.objects.filter(subject_id=subject).count() for model in HELD}
        assert all(held_before.values())

        finish(world)

        assert Shredding.objects.get().state == "verified"
        assert Subject.objects.get(id=subject).state == "erased"
        assert Subject.objects.get(id=subject).trail_id is None
        assert not any(model.objects.filter(subject_id=subject).exists() for model in HELD)
        assert not KeyShare.objects.filter(subject_id=subject).exists()
        assert set(KeyShare.objects.filter(subject=None).values_list("state", flat=True)) == {
            "destroyed"
        }
        body = DestructionAttestation.objects.get(erasure_id=erasure_id).body
        assert {share["state"] for share in body["shares"]} == {"destroyed"}
        assert body["counts"]["records"] == 1
        assert reading.custody_read(controller_id=world.controller_id, subject_id=other)

    def test_leaves_a_tombstone_whose_time_finds_no_event(self, world: World) -> None:
        subject, _ = erased(world)
        created = AuditEvent.objects.get(action="vault.subject.created").occurred_at

        finish(world)

        left = Subject.objects.get(id=subject).created_at
        assert left != created
        assert (left.year, left.month, left.day) == (created.year, created.month, 1)

    def test_answers_erased_from_the_fence_on(self, world: World) -> None:
        subject, _ = erased(world)

        assert not world.page().rows
        assert world.record(subject, "r2").outcome == "erased"
        with pytest.raises(SubjectErased):
            reading.custody_read(controller_id=world.controller_id, subject_id=subject)
        with pytest.raises(SubjectErased):
            world.open_ground(subject)

    def test_keeps_a_reference_from_coming_back(self, world: World) -> None:
        erased(world)
        finish(world)

        (outcome,) = subjects.create_many(
            controller_id=world.controller_id,
            drafts=[world.draft("ada")],
            actor=world.actor,
            now=world.now,
        )
        (found,) = subjects.resolve_many(
            controller_id=world.controller_id, references=[Reference("customer-number", "ada")]
        )
        assert outcome.outcome == "erased"
        assert found.state == "erased"

    def test_waits_for_the_drain(self, world: World) -> None:
        erased(world)

        effects.sweep(queue="shred", now=world.now + timedelta(seconds=1))

        assert Shredding.objects.get().state == "fenced"
        assert None not in world.custodian.shares.values()

    def test_tells_each_purpose_that_the_alias_is_gone(self, world: World) -> None:
        subject, _ = erased(world)
        alias = Alias.objects.get(subject_id=subject).id

        finish(world)

        removal = Removal.objects.get()
        assert (removal.alias, removal.reason) == (alias, "erased")

    def test_records_nothing_under_the_trail_after_the_fence(self, world: World) -> None:
        subject = world.subject()
        trail = Subject.objects.get(id=subject).trail_id
        fence(world, subject)
        before = AuditEvent.objects.filter(trail_id=trail).count()

        finish(world)

        assert AuditEvent.objects.filter(trail_id=trail).count() == before
        steps = AuditEvent.objects.exclude(erasure_id=None).values_list("action", flat=True)
        assert [step.rsplit(".", 1)[1] for step in steps] == [
            "fenced", "drained", "ordered", "keys_destroyed", "swept", "verified",
        ]  # fmt: skip

    def test_stops_when_a_share_still_reads_as_live(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        subject, _ = erased(world)
        monkeypatch.setattr(world.custodian, "destroy_shares", lambda _refs: None)

        finish(world)

        assert Effect.objects.get(kind="vault.shred").last_error == "key-still-alive"
        assert SealedRecord.objects.filter(subject_id=subject).exists()

    @pytest.mark.parametrize("lost", ["destroy_shares"])
    def test_reads_back_after_a_lost_answer(self, world: World, lost: str) -> None:
        erased(world)
        world.custodian.lost_answers.add(lost)

        finish(world)
        assert Shredding.objects.get().state == "ordered"
        finish(world)

        assert Shredding.objects.get().state == "verified"

    def test_destroys_nothing_without_a_journal_entry(self, world: World) -> None:
        erased(world)
        seen: list[bool] = []

        def look(point: str) -> None:
            if point == "vault.destroy.before-journal":
                seen.append(None in world.custodian.shares.values())
                raise Killed

        with failpoints.installed(look), pytest.raises(Killed):
            finish(world)

        assert seen == [False]
        assert Shredding.objects.get().journal == {}


class TestCrash:
    @pytest.mark.parametrize("point", POINTS)
    def test_at_each_point_completes_once_after_restart(self, world: World, point: str) -> None:
        _, erasure_id = erased(world)
        hits: list[str] = []

        def kill(reached: str) -> None:
            if reached == point:
                hits.append(reached)
                raise Killed

        with failpoints.installed(kill), pytest.raises(Killed):
            finish(world)
        for _ in range(2):
            finish(world)

        assert hits == [point]
        assert Shredding.objects.get().state == "verified"
        assert DestructionAttestation.objects.filter(erasure_id=erasure_id).count() == 1
        assert not SealedRecord.objects.exists()
        actions = list(
            AuditEvent.objects.filter(erasure_id=erasure_id).values_list("action", flat=True)
        )
        assert len(actions) == len(set(actions))


class TestLocks:
    def lock(self, world: World, subject_id: UUID) -> locks.Placed:
        with unit_of_work():
            return locks.place(
                controller_id=world.controller_id,
                scope=ShredLock.Scope.SUBJECT,
                scope_id=subject_id,
                ground="art17-3-e",
                actor=world.actor,
                now=world.now,
            )

    def test_refuse_a_fence(self, world: World) -> None:
        subject = world.subject()
        self.lock(world, subject)

        with pytest.raises(ShredBlocked):
            fence(world, subject)

    def test_placed_before_the_order_cancel_the_erasure(self, world: World) -> None:
        subject, erasure_id = erased(world)

        assert self.lock(world, subject).cancelled == (erasure_id,)
        finish(world)

        assert Shredding.objects.get().state == "cancelled"
        assert reading.custody_read(controller_id=world.controller_id, subject_id=subject)
        assert world.page().rows

    def test_placed_after_the_order_are_too_late(self, world: World) -> None:
        subject, _ = erased(world)

        def kill(point: str) -> None:
            if point == "vault.shred.after-order":
                raise Killed

        with failpoints.installed(kill), pytest.raises(Killed):
            finish(world)

        with pytest.raises(TooLate):
            self.lock(world, subject)

    @pytest.mark.parametrize("scope", ["category", "purpose", "controller"])
    def test_of_wider_scope_cover_the_subject(self, world: World, scope: str) -> None:
        subject = world.subject()
        world.record(subject)
        world.consent(subject)
        scope_id = {
            "category": world.category.category_id,
            "purpose": world.purpose_id,
            "controller": world.controller_id,
        }[scope]
        with unit_of_work():
            placed = locks.place(
                controller_id=world.controller_id,
                scope=ShredLock.Scope(scope),
                scope_id=scope_id,
                ground="art17-3-b",
                actor=world.actor,
                now=world.now,
            )

        with pytest.raises(ShredBlocked):
            fence(world, subject)
        with unit_of_work():
            locks.lift(
                controller_id=world.controller_id,
                lock_id=placed.lock.id,
                actor=world.actor,
                now=world.now,
            )
        fence(world, subject)

    def test_hold_against_a_shredding_inserted_past_the_service(self, world: World) -> None:
        subject = world.subject()
        self.lock(world, subject)

        with pytest.raises(DatabaseError, match="a lock forbids"):
            Shredding.objects.create(
                erasure_id=uuid4(),
                controller_id=world.controller_id,
                subject_id=subject,
                state="fenced",
                fenced_at=world.now,
                drain_until=world.now,
            )


class TestTriggers:
    """What the services forbid is refused below them too, for every role."""

    @pytest.mark.parametrize("alias", ["default", "owner"])
    def test_refuse_to_bring_an_erased_subject_back(self, world: World, alias: str) -> None:
        subject, _ = erased(world)
        finish(world)

        with pytest.raises(DatabaseError, match="illegal move"):
            Subject.objects.using(alias).filter(id=subject).update(state="live")
        with pytest.raises(DatabaseError, match="illegal move"):
            KeyShare.objects.using(alias).filter(subject=None).update(state="live")

    @pytest.mark.parametrize("alias", ["default", "owner"])
    def test_refuse_a_withdrawn_grant_put_back(self, world: World, alias: str) -> None:
        subject = world.subject()
        world.record(subject)
        world.consent(subject)
        kept = KeyGrant.objects.get()
        with unit_of_work():
            grants.withdraw(
                subject_id=subject,
                purpose_id=world.purpose_id,
                reason=Removal.Reason.WITHDRAWN,
                now=world.now,
            )

        kept.pk = None
        with pytest.raises(DatabaseError, match="late writer"):
            kept.save(using=alias, force_insert=True)

    @pytest.mark.parametrize("alias", ["default", "owner"])
    def test_refuse_a_record_after_the_fence(self, world: World, alias: str) -> None:
        subject, _ = erased(world)
        row = SealedRecord.objects.filter(subject_id=subject).get()

        row.id, row.version, row.is_current = uuid4(), 2, False
        with pytest.raises(DatabaseError, match="late writer"):
            row.save(using=alias, force_insert=True)
