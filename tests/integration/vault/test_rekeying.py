"""Re-keys: what is removed at once, what stays readable throughout, and when the old key ends."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from pytest_django import Settings

from core import effects, failpoints, hpke
from core.errors import PreconditionFailed
from core.models import AuditEvent, Effect
from core.unit_of_work import unit_of_work
from tests.fakes import backups
from tests.fakes.rekeys import Office, lock, state
from tests.fakes.rekeys import office as make_office
from tests.fakes.world import World
from vault.errors import ShredBlocked, SubjectErased, SubjectNotFound
from vault.models import (
    CustodyGrant,
    DataKey,
    DestructionAttestation,
    KeyGrant,
    KeyShare,
    PendingEntry,
    Rekey,
    Removal,
    SealedOpening,
    SealedRecord,
    Shredding,
    ShredLock,
    Subject,
)
from vault.ports import GrantToOpen
from vault.services import grants, keys, locks, openings, reading, rekeying
from vault.services.creating import EVIDENCE_CATEGORY


@pytest.fixture
def office(world: World, settings: Settings) -> Iterator[Office]:
    settings.LETHE_BACKUPS_ATTESTED = backups.PATH
    with make_office(world) as made:
        yield made


class TestRequest:
    def test_removes_every_version_with_its_own_commit(self, office: Office) -> None:
        rekey = office.erase()

        assert office.documents() == {b'{"n":4}'}
        assert office.versions(office.gone) == []
        assert (rekey.records, rekey.versions) == (1, 2)

    def test_tells_the_journal_both_keys_and_the_rows(self, office: Office) -> None:
        rows = set(SealedRecord.objects.filter(record_id=office.gone).values_list("id", flat=True))

        rekey = office.erase()

        body = PendingEntry.objects.get(kind="rekey").body
        assert {UUID(id_) for id_ in body["rows"]} == rows
        assert body["old_kid"] == rekey.old_share_id.hex
        assert body["new_kid"] == rekey.new_share_id.hex
        assert body["reason"] == "erasure"

    def test_drops_only_what_was_superseded(self, office: Office) -> None:
        with unit_of_work():
            rekeying.drop_superseded(
                controller_id=office.world.controller_id, record_id=office.gone,
                expected_version=2, actor=office.world.actor, now=office.world.now,
            )  # fmt: skip

        assert office.versions(office.gone) == [b'{"n":2}']
        assert office.versions(office.kept) == [b'{"n":3}', b'{"n":4}']

    def test_joins_one_that_has_sealed_nothing_yet(self, office: Office) -> None:
        first = office.leak()
        office.work()

        second = office.erase()

        assert second.id == first.id
        assert second.reasons == ["erasure", "leak"]
        assert KeyShare.objects.filter(subject_id=office.subject).count() == 2

    def test_is_refused_while_rows_are_sealed_anew(self, office: Office) -> None:
        office.leak()
        Rekey.objects.update(state="resealing")

        with pytest.raises(rekeying.RekeyRunning):
            office.erase()
        assert office.versions(office.gone)

    def test_is_refused_for_another_version(self, office: Office) -> None:
        with pytest.raises(PreconditionFailed):
            office.erase(version=1)
        assert not Rekey.objects.exists()

    @pytest.mark.parametrize("scope", ["subject", "category", "controller"])
    def test_removes_nothing_under_a_lock(self, office: Office, scope: str) -> None:
        scope_id = {
            "subject": office.subject,
            "category": office.world.category.category_id,
            "controller": office.world.controller_id,
        }[scope]
        lock(office.world, ShredLock.Scope(scope), scope_id)

        with pytest.raises(ShredBlocked):
            office.erase()
        assert office.versions(office.gone)

    def test_does_not_know_another_controllers_record_or_subject(self, office: Office) -> None:
        named: dict[str, Any] = {
            "actor": office.world.actor, "now": office.world.now, "controller_id": uuid4(),
        }  # fmt: skip
        with pytest.raises(rekeying.RecordUnknown), unit_of_work():
            rekeying.erase_record(record_id=office.gone, expected_version=2, **named)
        with pytest.raises(SubjectNotFound), unit_of_work():
            rekeying.suspect_leak(subject_id=office.subject, group="main", **named)
        assert not Rekey.objects.exists()

    def test_names_the_trail_in_no_event(self, office: Office) -> None:
        office.erase()
        office.swap()

        steps = AuditEvent.objects.filter(action__startswith="vault.rekey")
        assert steps.count() == 4
        assert not steps.exclude(trail_id=None).exists()


class TestSwap:
    def test_waits_for_a_snapshot_that_holds_the_new_share(self, office: Office) -> None:
        backups.newest["key-store"] = office.world.now
        office.leak()

        office.work()
        assert state() == "created"
        assert office.shares() == [("live", True), ("successor", True)]

        office.back_up("key-store")
        office.work()
        assert state() == "swapped"
        assert office.shares() == [("retired", True), ("live", True)]

    def test_waits_no_longer_than_the_hours_allowed(self, office: Office) -> None:
        office.leak()
        office.work()

        office.work(minutes=24 * 60)

        assert state() == "swapped"

    def test_keeps_every_version_readable_as_it_was(self, office: Office) -> None:
        before = {record: office.versions(record) for record in (office.kept, office.gone)}
        ids = set(SealedRecord.objects.values_list("id", "record_id", "version"))
        office.leak()

        office.swap()

        assert {record: office.versions(record) for record in before} == before
        assert office.documents() == {b'{"n":2}', b'{"n":4}'}
        living = SealedRecord.objects.filter(data_key__share__state="live")
        assert set(living.values_list("id", "record_id", "version")) == ids
        (read, again) = reading.custody_read(
            controller_id=office.world.controller_id, subject_id=office.subject
        )
        assert {read.document, again.document} == office.documents()

    def test_finds_records_by_their_references_again(self, office: Office) -> None:
        office.leak()
        office.swap()

        same = office.world.record(office.subject, "r2", b'{"n":4}')
        other = office.world.record(office.subject, "r2", b'{"n":5}')

        assert (same.outcome, same.record_id) == ("unchanged", office.kept)
        assert (other.outcome, other.record_id, other.version) == ("updated", office.kept, 3)

    def test_keeps_the_evidence_key(self, office: Office) -> None:
        office.leak()
        office.swap()

        grant = CustodyGrant.objects.select_related("data_key__share").get(
            data_key__category_id=EVIDENCE_CATEGORY, data_key__share__state="live"
        )
        share = keys.share_ref(grant.data_key.share)
        (private,) = office.world.custodian.open_grants(
            [GrantToOpen(share, keys.CUSTODY, bytes(grant.wrapped))]
        )
        assert isinstance(private, bytes)
        sealed = SealedOpening.objects.filter(subject_id=office.subject).first()
        assert sealed is not None
        assert hpke.open(private, bytes(sealed.sealed), info=openings.INFO)

    def test_wraps_for_the_purposes_that_may_read_then(self, office: Office) -> None:
        office.leak()
        office.work()
        with unit_of_work():
            grants.withdraw(
                subject_id=office.subject, purpose_id=office.world.purpose_id,
                reason=Removal.Reason.WITHDRAWN, now=office.world.now,
            )  # fmt: skip
        office.back_up("key-store")
        office.work()

        assert state() == "swapped"
        assert not KeyGrant.objects.exists()
        assert office.documents() == set()

    def test_shows_a_stream_each_record_once(self, office: Office) -> None:
        for number in range(5, 12):
            office.world.record(office.subject, f"r{number}", b'{"n":%d}' % number)
        before = office.world.page(limit=4)
        office.leak()
        office.swap()

        after = office.world.page(limit=100, after=before.last)

        read = [row.document for row in (*before.rows, *after.rows)]
        assert len(read) == len(set(read)) == 9
        assert {row.alias for row in before.rows} == {row.alias for row in after.rows}
        references = [row.reference for row in (*before.rows, *after.rows)]
        assert len(set(references)) == 9


class TestLateWriter:
    """Acts that fall into the moments around a swap: none is lost, none lands on the old key."""

    def at(self, office: Office, point: str, act: Callable[[], None]) -> None:
        office.leak()
        office.work()
        office.back_up("key-store")
        done: list[str] = []

        def intrude(reached: str) -> None:
            if reached == point and not done:
                done.append(reached)
                act()

        with failpoints.installed(intrude):
            office.work()
            office.work()
        assert done == [point]
        assert state() == "swapped"

    @pytest.mark.parametrize(
        "point",
        ["vault.rekey.resealing", "vault.rekey.keys-made", "vault.rekey.keys-stored",
         "vault.rekey.resealed", "vault.rekey.wrapped", "vault.rekey.swapped"],
    )  # fmt: skip
    def test_keeps_a_record_that_comes_in_between(self, office: Office, point: str) -> None:
        def write() -> None:
            office.world.record(office.subject, "late", b'{"n":9}')
            office.world.record(office.subject, "r2", b'{"n":5}')

        self.at(office, point, write)

        assert office.documents() == {b'{"n":2}', b'{"n":5}', b'{"n":9}'}
        assert office.versions(office.kept) == [b'{"n":3}', b'{"n":4}', b'{"n":5}']

    def test_writes_anew_when_its_key_was_replaced(self, office: Office) -> None:
        """The writer has opened the old key; the swap commits; then the writer takes the lock."""
        office.leak()
        office.work()
        office.back_up("key-store")
        swapped: list[bool] = []
        opened = keys.open_data_keys

        def open_then_swap(**named: Any) -> Any:
            found = opened(**named)
            if not swapped:
                swapped.append(True)
                office.work()
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(keys, "open_data_keys", open_then_swap)
            outcome = office.world.record(office.subject, "late", b'{"n":9}')

        assert swapped
        assert outcome.outcome == "created"
        assert b'{"n":9}' in office.documents()

    @pytest.mark.parametrize("point", ["vault.rekey.resealed", "vault.rekey.wrapped"])
    def test_keeps_a_consent_that_comes_in_between(self, office: Office, point: str) -> None:
        def consent() -> None:
            office.world.purpose_id = uuid4()
            office.world.consent(office.subject)

        self.at(office, point, consent)

        assert office.documents() == {b'{"n":2}', b'{"n":4}'}

    @pytest.mark.parametrize("point", ["vault.rekey.resealed", "vault.rekey.wrapped"])
    def test_keeps_a_category_that_comes_in_between(self, office: Office, point: str) -> None:
        def write() -> None:
            office.world.category = grants.CategoryRef(uuid4(), "main")
            office.world.record(office.subject, "x1", b'{"x":1}')

        self.at(office, point, write)

        read = reading.custody_read(
            controller_id=office.world.controller_id, subject_id=office.subject
        )
        assert {row.document for row in read} == {b'{"n":2}', b'{"n":4}', b'{"x":1}'}


class TestDestruction:
    def test_waits_for_a_backup_that_knows_the_swap(self, office: Office) -> None:
        backups.newest["database"] = office.world.now
        office.erase()
        office.swap()
        office.work()
        assert state() == "swapped"

        office.end()

        assert state() == "done"
        assert office.shares() == [("destroyed", False), ("live", True)]

    def test_sweeps_the_old_share_and_nothing_of_the_person(self, office: Office) -> None:
        office.erase()
        office.swap()
        old = Rekey.objects.get().old_share_id

        office.end()

        assert not DataKey.objects.filter(share=old).exists()
        assert SealedRecord.objects.count() == 2
        assert Subject.objects.get().state == "live"
        assert office.documents() == {b'{"n":4}'}
        assert office.world.record(office.subject, "r9").outcome == "created"

    def test_is_attested_with_what_was_removed(self, office: Office) -> None:
        office.erase()
        office.swap()
        office.end()

        body = DestructionAttestation.objects.get().body
        assert (body["scope"], body["group"]) == ("rekey", "main")
        assert body["request"]["records"] == 1
        assert body["request"]["versions"] == 2
        assert body["request"]["requesters"] == [office.world.actor.id]
        assert [share["state"] for share in body["shares"]] == ["destroyed"]

    def test_is_told_to_the_journal_by_its_scope(self, office: Office) -> None:
        office.erase()
        office.swap()
        office.end()

        entries = [e for e in office.world.journal.entries() if e.kind == "destruction"]
        (item,) = entries[0].body["items"]
        assert (item["scope"], item["group"], item["tags"]) == ("rekey", "main", [])

    def test_waits_while_a_lock_is_in_force(self, office: Office) -> None:
        office.erase()
        office.swap()
        placed = lock(office.world, ShredLock.Scope.SUBJECT, office.subject)
        office.back_up("database")
        office.work()
        assert state() == "swapped"

        with unit_of_work():
            locks.lift(controller_id=office.world.controller_id, lock_id=placed.lock.id,
                       actor=office.world.actor, now=office.world.now)  # fmt: skip
        office.end()

        assert state() == "done"

    def test_begins_again_after_a_lock_cancelled_it(self, office: Office) -> None:
        office.erase()
        office.swap()
        office.back_up("database")
        office.work()
        placed = lock(office.world, ShredLock.Scope.SUBJECT, office.subject)
        assert state() == "swapped"
        assert office.shares() == [("retired", True), ("live", True)]
        with unit_of_work():
            locks.lift(controller_id=office.world.controller_id, lock_id=placed.lock.id,
                       actor=office.world.actor, now=office.world.now)  # fmt: skip

        office.end()

        assert state() == "done"
        states = set(Shredding.objects.values_list("state", flat=True))
        assert states == {"cancelled", "verified"}

    def test_does_not_take_the_key_of_a_later_rekey(self, office: Office) -> None:
        office.leak()
        office.swap()
        office.erase()
        office.work()
        first, second = Rekey.objects.order_by("requested_at")
        assert (first.state, second.state) == ("swapped", "created")
        office.back_up("key-store")
        office.work()
        office.back_up("database")
        for _ in range(3):
            office.world.later(minutes=10)
            for queue in ("default", "shred", "attest"):
                effects.sweep(queue=queue, now=office.world.now)

        assert office.shares() == [("destroyed", False), ("destroyed", False), ("live", True)]
        assert set(Rekey.objects.values_list("state", flat=True)) == {"done"}
        assert office.documents() == {b'{"n":4}'}


class TestErasureMeanwhile:
    @pytest.mark.parametrize("reached", ["planned", "created", "swapped", "destroying"])
    def test_destroys_every_share_and_ends_the_rekey(self, office: Office, reached: str) -> None:
        office.erase()
        if reached != "planned":
            office.work()
        if reached in {"swapped", "destroying"}:
            office.back_up("key-store")
            office.work()
        if reached == "destroying":
            office.back_up("database")
            office.work()
        assert state() == reached

        office.fence()
        for _ in range(3):
            office.world.later(minutes=10)
            for queue in ("shred", "attest", "default"):
                effects.sweep(queue=queue, now=office.world.now)

        kids = KeyShare.objects.values_list("kid", flat=True)
        assert all(office.world.custodian.shares.get(kid.bytes) is None for kid in kids)
        assert not Rekey.objects.exists()
        assert not SealedRecord.objects.exists()
        assert Effect.objects.get(kind="vault.rekey").state == "done"

    @pytest.mark.parametrize("reached", ["created", "swapped"])
    def test_that_a_lock_cancels_lets_the_rekey_go_on(self, office: Office, reached: str) -> None:
        office.erase()
        office.work()
        if reached == "swapped":
            office.back_up("key-store")
            office.work()
        office.fence()
        with pytest.raises(SubjectErased):
            office.leak()
        placed = lock(office.world, ShredLock.Scope.SUBJECT, office.subject)
        with unit_of_work():
            locks.lift(controller_id=office.world.controller_id, lock_id=placed.lock.id,
                       actor=office.world.actor, now=office.world.now)  # fmt: skip

        office.back_up("key-store")
        office.work()
        office.end()

        assert state() == "done"
        assert office.documents() == {b'{"n":4}'}
