"""What never may be, looked at after every act, from outside: by reading, and in the key store."""

from uuid import UUID

import pytest

from tests.machine.model import Person
from tests.machine.town import Town
from vault import runtime
from vault.domain.states import ShareState
from vault.errors import KeyLost, RestoreReplayRequired, SubjectErased, SubjectNotFound
from vault.models import KeyShare, LostVersion, Shredding, ShredLock, Subject
from vault.services import journal, key_cache, reading


def check(town: Town) -> None:
    """All of them."""
    key_cache.cache().clear()
    remember_keys(town)
    if not town.is_open():
        assert_closed(town)
        return
    for person in town.truth.people.values():
        if person.is_erased:
            assert_erased(town, person)
        else:
            assert_kept(town, person)
    assert_page(town)


def remember_keys(town: Town) -> None:
    """Which shares each person has, and of whom they are known to be destroyed."""
    shares: dict[UUID, set[UUID]] = {}
    for kid, subject in KeyShare.objects.exclude(subject=None).values_list("kid", "subject"):
        shares.setdefault(subject, set()).add(kid)
    for person in town.truth.people.values():
        person.kids |= shares.get(person.id, set())
        if person.is_erased or not person.is_erasing:
            continue
        of_person = Shredding.objects.filter(shares__share__in=person.kids, scope="subject")
        begun = of_person.exclude(state__in=["cancelled", "fenced", "drained", "ordered"])
        if begun.exists() or Subject.objects.filter(id=person.id, state="erased").exists():
            person.is_erased = True
        elif town.is_open() and Subject.objects.filter(id=person.id, state="live").exists():
            person.is_erasing = False  # while closed, the journal may know what this does not


def assert_closed(town: Town) -> None:
    """Nothing is read, and nobody new comes."""
    with pytest.raises(RestoreReplayRequired):
        town.world.page()
    for person in list(town.truth.people.values())[:1]:
        with pytest.raises((RestoreReplayRequired, SubjectErased, SubjectNotFound)):
            own(town, person)
    with pytest.raises(RestoreReplayRequired):
        town.world.subject("nobody")


def assert_erased(town: Town, person: Person) -> None:
    """No share of an erased person lives while the gate is open."""
    live = [kid for kid in person.kids if town.lives(kid)]
    assert not live, f"{person.name} is erased and has live shares"
    try:
        found = own(town, person)
    except (SubjectErased, SubjectNotFound):
        return
    raise AssertionError(f"{person} is erased and is read: {found}, {told(town, person)}")


def told(town: Town, person: Person) -> str:
    """What the database holds of the person, for the message of a failure."""
    subject = Subject.objects.filter(id=person.id).values_list("state", flat=True)
    shares = KeyShare.objects.filter(kid__in=person.kids).values_list("kid", "state")
    erasures = Shredding.objects.filter(shares__share__in=person.kids)
    of = erasures.values_list("erasure_id", "scope", "state", "held_at", "journal__sequence")
    locks = ShredLock.objects.values_list("scope_id", "placed_at", "lifted_at")
    entries = [(e.sequence, e.ordinal, e.kind.value) for e in town.world.journal.entries(after=-1)]
    return (
        f"subject {list(subject)}, shares {list(shares)}, erasures {list(of)}, "
        f"locks {list(locks)}; journal {entries}, {journal.database_head()}, "
        f"marker {runtime.marker().read_marker()}"
    )


def assert_kept(town: Town, person: Person) -> None:
    """Every document of a living person is there, or the loss of the key is said."""
    try:
        documents = own(town, person)
    except KeyLost:
        assert may_be_lost(town, person), f"{person.name} is said to be lost, and is not"
        town.counts["reads that said a loss"] += 1
        return
    except SubjectErased:
        assert person.is_erasing, f"{person.name} lives and reads as erased"
        return
    except SubjectNotFound:
        assert person.is_gone, f"{person.name} is not there"
        return
    assert documents.keys() <= person.documents.keys(), f"{person.name} has what nobody wrote"
    for reference, allowed in person.documents.items():
        found = documents.get(reference)
        assert found in allowed, f"{person.name}, {reference}: {found!r}, not of {allowed!r}"
        person.documents[reference] = {found}


def assert_no_orphans(town: Town) -> None:
    """Every living share has an owner, or an officer must release its destruction first."""
    held = Shredding.objects.filter(held_at__isnull=False, released_at=None)
    for kid in town.kids():
        if town.lives(kid):
            row = KeyShare.objects.filter(kid=kid).first()
            assert row is not None, f"nobody knows {kid}"
            is_held = held.filter(shares__share=kid).exists()
            assert row.subject_id or is_held, f"{kid} is nobody's and lives: {row.state}"


def own(town: Town, person: Person) -> dict[str, bytes]:
    """The person's documents by reference, read in custody."""
    rows = reading.custody_read(controller_id=town.world.controller_id, subject_id=person.id)
    return {row.document.split(b'"')[7].decode(): row.document for row in rows}


def may_be_lost(town: Town, person: Person) -> bool:
    """Whether the key store really lacks a key of the person's."""
    if LostVersion.objects.exists():
        return True
    shares = KeyShare.objects.filter(
        subject=person.id, state__in=[ShareState.LIVE, ShareState.LOST, ShareState.DESTROYED]
    )
    return not all(town.lives(kid) for kid in shares.values_list("kid", flat=True))


def assert_page(town: Town) -> None:
    """The purpose reads what it holds live grants for, and nothing else."""
    try:
        readable = town.site.readable()
    except KeyLost:
        people = town.truth.people.values()
        assert any(may_be_lost(town, person) for person in people), "no key is lost"
        return
    for person in town.truth.people.values():
        documents = {one for held in person.documents.values() for one in held if one is not None}
        if person.is_erased or person.is_restricted or not person.may_read:
            assert not documents & readable, f"{person.name} is read without a grant"
        elif person.must_read and not person.is_erasing and not is_lost(person):
            sure = {next(iter(held)) for held in person.documents.values() if len(held) == 1}
            assert sure - {None} <= readable, f"{person.name} consented and is not read"
        readable -= documents
    assert not readable, f"nobody's: {readable!r}"


def is_lost(person: Person) -> bool:
    """Whether a page leaves the person out because of a lost share."""
    return KeyShare.objects.filter(subject=person.id, state=ShareState.LOST).exists()
