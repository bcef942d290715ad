"""A small cast for tests of vault: one controller, subjects, a purpose with a wrapping key."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from core import clock, runtime
from core.actors import Actor
from core.unit_of_work import unit_of_work
from tests.fakes.custodian import FakeCustodian, FakeSigner
from tests.servers.roles import EveryProcess
from vault.adapters import directory_journal
from vault.domain.lookup import Reference
from vault.services import grants, key_cache, purpose_keys, sealing, subjects
from vault.services.grants import CategoryRef, Ground
from vault.services.pages import Page, Position, page
from vault.services.sealing import RecordDraft, RecordOutcome
from vault.services.subjects import SubjectDraft


@dataclass
class World:
    """Ids and short verbs; each verb is one call of the service it names."""

    custodian: FakeCustodian = field(default_factory=FakeCustodian)
    pool: Sequence[str] = ()
    controller_id: UUID = field(default_factory=uuid4)
    source_id: UUID = field(default_factory=uuid4)
    purpose_id: UUID = field(default_factory=uuid4)
    category: CategoryRef = field(default_factory=lambda: CategoryRef(uuid4(), "main"))
    ahead: timedelta = timedelta(0)
    journal: directory_journal.DirectoryJournal = field(init=False)

    @property
    def now(self) -> datetime:
        return clock.now()

    @property
    def actor(self) -> Actor:
        return Actor("cli_test", "source", self.controller_id)

    def later(self, **by: float) -> datetime:
        """Move the clock of every process ahead."""
        self.ahead += timedelta(**by)
        clock.move(ahead=self.ahead)
        return self.now

    def draft(self, name: str) -> SubjectDraft:
        return SubjectDraft((Reference("customer-number", name),), self.source_id)

    def subject(self, name: str = "ada") -> UUID:
        (outcome,) = subjects.create_many(
            controller_id=self.controller_id,
            drafts=[self.draft(name)],
            actor=self.actor,
            now=self.now,
        )
        assert outcome.subject_id is not None, outcome
        return outcome.subject_id

    def record(
        self, subject_id: UUID, reference: str = "r1", document: bytes = b'{"age":41}'
    ) -> RecordOutcome:
        (outcome,) = sealing.put_many(
            controller_id=self.controller_id,
            drafts=[
                RecordDraft(
                    subject_id,
                    self.category.category_id,
                    self.category.group,
                    self.source_id,
                    reference,
                    document,
                )
            ],
            actor=self.actor,
            now=self.now,
        )
        return outcome

    def purpose_key(self) -> str:
        purpose_keys.register(self.pool or self.custodian.available())
        with unit_of_work():
            return purpose_keys.assign(
                controller_id=self.controller_id, purpose_id=self.purpose_id, now=self.now
            )

    def open_ground(self, subject_id: UUID) -> Ground:
        self.purpose_key()
        with unit_of_work():
            ground = grants.open_ground(
                subject_id=subject_id, purpose_id=self.purpose_id, ground=uuid4(), now=self.now
            )
        assert ground is not None
        return ground

    def consent(self, subject_id: UUID) -> Ground:
        ground = self.open_ground(subject_id)
        grants.issue(grounds=[ground], categories=[self.category], now=self.now)
        return ground

    def page(
        self, limit: int = 100, after: Position | None = None, split: tuple[int, int] = (0, 1)
    ) -> Page:
        return page(
            purpose_id=self.purpose_id,
            wrapping_key=purpose_keys.wrapping_key(self.purpose_id),
            categories=[self.category.category_id],
            limit=limit,
            after=after,
            split=split,
        )


@contextmanager
def world(journal_dir: Path, store: EveryProcess | None = None) -> Iterator[World]:
    """Bind the fakes, or a real store, to the ports for the length of the block."""
    made = World(pool=store.available() if store else ())
    keys = store or made.custodian
    if store is not None:
        store.forget_marker()
    clock.move(ahead=timedelta(0))
    key_cache.cache().clear()
    journal, mirror = journal_dir / "journal", journal_dir / "mirror"
    directory_journal.found(journal, mirrors=[mirror], now=clock.now(), journal_id=uuid4())
    made.journal = directory_journal.DirectoryJournal(journal, mirrors=[mirror])
    with runtime.override(
        custodian=keys,
        hasher=keys,
        inventory=keys,
        marker=keys,
        wrapping_keys=keys,
        rotation=keys,
        signer=FakeSigner(),
        journal=made.journal,
        journal_reader=made.journal,
        participants=[],
    ):
        yield made
    made.journal.close()
    key_cache.cache().clear()
