"""What must be true of a town whatever crashed and was restored, kept beside it in plain words.

An act that broke off may have happened or not: where that matters both outcomes are allowed until
one is seen. An act is secured once the journal has it; only what is secured outlives a restore.
"""

import copy
import dataclasses
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

Kind = Literal["withdrawn", "restricted", "lifted", "locked", "unlocked", "removed"]


@dataclass(slots=True)
class Person:
    """One data subject. `documents` gives each reference what it may hold, None for nothing.

    `may_read` bounds from above what the purpose can see, `must_read` from below; so do
    `may_be_restricted` and `is_restricted` the restriction. `kids` are all key shares that the
    person ever had.
    """

    name: str
    id: UUID
    kids: set[UUID] = field(default_factory=set)
    documents: dict[str, set[bytes | None]] = field(default_factory=dict)
    may_read: bool = False
    must_read: bool = False
    ground_at: datetime | None = None
    is_restricted: bool = False
    may_be_restricted: bool = False
    is_locked: bool = False
    is_erasing: bool = False
    is_erased: bool = False
    is_gone: bool = False

    def written(self, reference: str, document: bytes, *, is_sure: bool) -> None:
        """A document was put, or its putting broke off."""
        before = set() if is_sure else self.documents.get(reference, {None})
        self.documents[reference] = {*before, document}


@dataclass(slots=True)
class Event:
    """An act that only takes away, which a restore must not undo once it is secured."""

    kind: Kind
    name: str
    at: datetime
    reference: str = ""
    number: int = 0
    is_sure: bool = True
    is_secured: bool = False


@dataclass(slots=True)
class Truth:
    """Everybody, and the acts in their order."""

    people: dict[str, Person] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    numbers: int = 0

    def note(
        self, kind: Kind, name: str, at: datetime, *, is_sure: bool, reference: str = ""
    ) -> None:
        """Apply an act, and remember it."""
        self.numbers += 1
        event = Event(kind, name, at, reference, self.numbers, is_sure=is_sure)
        self.events.append(event)
        _apply(self.people[name], event)

    def secure(self) -> None:
        """The journal has everything."""
        for event in self.events:
            event.is_secured = True

    def kept(self) -> "Truth":
        """As a backup that is taken now would hold it."""
        return copy.deepcopy(self)

    def put_back(self, backup: "Truth") -> None:
        """The database is as it was at the backup; the journal is as it is."""
        now, self.people = self.people, copy.deepcopy(backup.people)
        known = {event.number for event in backup.events}
        since = [event for event in self.events if event.number not in known]
        for name, person in now.items():
            if name not in self.people:
                self.people[name] = person
                person.is_gone = True
                person.documents, person.may_read, person.must_read = {}, False, False
                continue
            again = self.people[name]
            again.kids |= person.kids
            again.is_erased = person.is_erased
            again.is_erasing |= person.is_erasing
            again.is_gone = person.is_gone
        for event in since:
            _apply_again(self.people[event.name], event)
        # What the journal does not have went with the database.
        secured = [event for event in since if event.is_secured]
        self.events = [*copy.deepcopy(backup.events), *secured]


def _apply(person: Person, event: Event) -> None:
    if event.kind == "withdrawn":
        person.must_read = False
        if event.is_sure:
            person.may_read = False
    elif event.kind == "restricted":
        person.must_read = False
        person.is_restricted |= event.is_sure
        person.may_be_restricted = True
    elif event.kind == "lifted":
        person.is_restricted = False
        person.may_be_restricted &= not event.is_sure
    elif event.kind == "locked":
        person.is_locked |= event.is_sure
    elif event.kind == "unlocked":
        person.is_locked = False
    elif event.reference in person.documents:
        before = set() if event.is_sure else person.documents[event.reference]
        person.documents[event.reference] = {*before, None}


def _apply_again(person: Person, event: Event) -> None:
    """As far as the journal brings it back; a consent that came after the backup is lost."""
    sure = event.is_sure and event.is_secured
    if event.kind == "withdrawn":
        person.must_read = False
        if sure and (person.ground_at is None or event.at >= person.ground_at):
            person.may_read = False
        return
    _apply(person, dataclasses.replace(event, is_sure=sure))
