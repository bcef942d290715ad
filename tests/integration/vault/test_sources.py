"""Who came from a source: everybody once, in a fixed order, and who is another's too."""

from uuid import UUID, uuid4

from tests.fakes.world import World
from vault.domain.lookup import Reference
from vault.models import LookupTag
from vault.services import sources, subjects
from vault.services.subjects import SubjectDraft


def bring(world: World, *names: str) -> UUID:
    """One subject, by several references."""
    references = tuple(Reference("customer-number", name) for name in names)
    (outcome,) = subjects.create_many(
        controller_id=world.controller_id,
        drafts=[SubjectDraft(references, world.source_id)],
        actor=world.actor,
        now=world.now,
    )
    assert outcome.subject_id is not None
    return outcome.subject_id


def walk(world: World, *, upto: int | None = None, limit: int = 2) -> list[sources.Person]:
    of = {"controller_id": world.controller_id, "source_id": world.source_id}
    end = sources.last(**of) if upto is None else upto
    met: list[sources.Person] = []
    while part := sources.page(**of, after=met[-1].position if met else 0, upto=end, limit=limit):
        met += part
    return met


class TestPage:
    def test_meets_everybody_once_whatever_they_are_called(self, world: World) -> None:
        people = [bring(world, "a", "a2"), bring(world, "b"), bring(world, "c", "c2", "c3")]

        assert [one.subject_id for one in walk(world)] == people
        assert [one.subject_id for one in walk(world, limit=1)] == people

    def test_ends_where_the_source_stood(self, world: World) -> None:
        first = bring(world, "a")
        upto = sources.last(controller_id=world.controller_id, source_id=world.source_id)
        bring(world, "late")

        assert [one.subject_id for one in walk(world, upto=upto)] == [first]

    def test_tells_apart_who_is_known_to_another_source(self, world: World) -> None:
        alone, tagged, recorded = bring(world, "a"), bring(world, "b"), bring(world, "c")
        tag = LookupTag.objects.get(subject=tagged)
        tag.pk, tag.tag, tag.source_id = None, b"t" * 32, uuid4()
        tag.save()
        mine, world.source_id = world.source_id, uuid4()
        world.record(recorded)
        world.source_id = mine
        world.record(alone)

        shared = {one.subject_id: one.is_shared for one in walk(world)}

        assert shared == {alone: False, tagged: True, recorded: True}

    def test_knows_nobody_of_another_controller(self, world: World) -> None:
        bring(world, "a")

        of = {"controller_id": uuid4(), "source_id": world.source_id}

        assert sources.last(**of) == 0
        assert sources.count(**of) == (0, 0)
        assert not sources.page(**of, after=0, upto=1 << 40, limit=9)


class TestCount:
    def test_counts_people_and_those_of_others(self, world: World) -> None:
        bring(world, "a", "a2")
        tag = LookupTag.objects.filter(subject=bring(world, "b")).get()
        tag.pk, tag.tag, tag.source_id = None, b"t" * 32, uuid4()
        tag.save()

        of = {"controller_id": world.controller_id, "source_id": world.source_id}

        assert sources.count(**of) == (2, 1)
