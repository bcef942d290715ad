"""Writers, readers, consent changes, locks and the eraser at once on one subject, many rounds."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import UUID, uuid4

import pytest
from django.db import connections

from core import clock, effects
from core.unit_of_work import unit_of_work
from tests.fakes.world import World
from vault.errors import ShredBlocked, SubjectErased, TooLate
from vault.models import Alias, KeyGrant, KeyShare, Removal, SealedRecord, Shredding, ShredLock
from vault.services import grants, locks, sealing, shredding
from vault.services.sealing import RecordDraft

ROUNDS = 12
ACTS = 6


class Round:
    """One subject, its contenders, and what each of them saw that must not be."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.subject = world.subject(f"subject-{number}")
        world.record(self.subject)
        world.consent(self.subject)
        self.alias = Alias.objects.get(subject_id=self.subject).id
        self.fenced = threading.Event()
        self.start = threading.Barrier(6)
        self.wrong: list[str] = []

    def contend(self) -> None:
        roles = (self.write, self.load, self.read, self.consent, self.lock, self.erase)
        with ThreadPoolExecutor(len(roles)) as pool:
            for future in [pool.submit(self.closing, role) for role in roles]:
                future.result(timeout=60)

    def closing(self, role: Callable[[], None]) -> None:
        self.start.wait()
        try:
            role()
        finally:
            connections.close_all()

    def write(self) -> None:
        for number in range(ACTS):
            self.world.record(self.subject, f"w{number}")

    def load(self) -> None:
        for number in range(ACTS):
            drafts = [self.draft(f"b{number}-{line}") for line in range(20)]
            sealing.put_many(
                controller_id=self.world.controller_id,
                drafts=drafts,
                actor=self.world.actor,
                now=clock.now(),
            )

    def draft(self, reference: str) -> RecordDraft:
        category = self.world.category
        return RecordDraft(
            self.subject,
            category.category_id,
            category.group,
            self.world.source_id,
            reference,
            b'{"n":1}',
        )

    def read(self) -> None:
        for _ in range(ACTS * 2):
            fenced_before = self.fenced.is_set()
            rows = [row for row in self.world.page(limit=500).rows if row.alias == self.alias]
            if rows and fenced_before and not self.was_cancelled():
                self.wrong.append("a page selected after the fence has the subject")

    def consent(self) -> None:
        with suppress(SubjectErased):
            for _ in range(ACTS):
                with unit_of_work():
                    ground = grants.open_ground(
                        subject_id=self.subject,
                        purpose_id=self.world.purpose_id,
                        ground=uuid4(),
                        now=clock.now(),
                    )
                late = threading.Thread(target=self.closing_issue, args=(ground,))
                late.start()
                self.withdraw()
                late.join()
                if KeyGrant.objects.filter(subject_id=self.subject).exists():
                    self.wrong.append("a grant after a withdrawal")

    def closing_issue(self, ground: grants.Ground) -> None:
        try:
            grants.issue(grounds=[ground], categories=[self.world.category], now=clock.now())
        finally:
            connections.close_all()

    def withdraw(self) -> None:
        with unit_of_work():
            grants.withdraw(
                subject_id=self.subject,
                purpose_id=self.world.purpose_id,
                reason=Removal.Reason.WITHDRAWN,
                now=clock.now(),
            )

    def lock(self) -> None:
        with suppress(TooLate):
            with unit_of_work():
                placed = locks.place(
                    controller_id=self.world.controller_id,
                    scope=ShredLock.Scope.SUBJECT,
                    scope_id=self.subject,
                    ground="art17-3-e",
                    actor=self.world.actor,
                    now=clock.now(),
                )
            for erasure_id in placed.cancelled:
                if Shredding.objects.get(erasure_id=erasure_id).state != "cancelled":
                    self.wrong.append("a lock that cancelled left the erasure running")
            with unit_of_work():
                locks.lift(
                    controller_id=self.world.controller_id,
                    lock_id=placed.lock.id,
                    actor=self.world.actor,
                    now=clock.now(),
                )

    def erase(self) -> None:
        with suppress(ShredBlocked):
            self.fence(uuid4())
            self.fenced.set()

    def was_cancelled(self) -> bool:
        """Whether a lock undid the fence meanwhile, so that the subject is rightly live again."""
        return Shredding.objects.filter(subject_id=self.subject, state="cancelled").exists()

    def fence(self, erasure_id: UUID) -> None:
        with unit_of_work():
            shredding.fence(
                subject_id=self.subject,
                erasure_id=erasure_id,
                actor=self.world.actor,
                open_leases=0,
                now=clock.now(),
            )

    def finish(self) -> None:
        """Erase for good if a lock prevented it, then let the eraser and attester run."""
        with suppress(SubjectErased):
            self.fence(uuid4())
        self.world.later(minutes=10)
        for queue in ("shred", "attest"):
            effects.sweep(queue=queue, now=clock.now())


@pytest.mark.long
class TestOneSubject:
    @pytest.mark.parametrize("number", range(ROUNDS))
    def test_never_keeps_a_key_or_a_grant_or_a_page_after_its_end(
        self, world: World, number: int
    ) -> None:
        round_ = Round(world, number)

        kids = list(KeyShare.objects.values_list("kid", flat=True))
        round_.contend()
        round_.finish()

        assert round_.wrong == []
        assert kids == list(KeyShare.objects.values_list("kid", flat=True))
        assert [kid for kid in kids if world.custodian.shares.get(kid.bytes) is not None] == []
        assert not SealedRecord.objects.filter(subject_id=round_.subject).exists()
        assert not KeyGrant.objects.filter(subject_id=round_.subject).exists()
