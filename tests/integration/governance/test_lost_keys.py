"""People whose key is lost: consent and purposes go on, and reach them in the end."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from core import effects
from core.actors import Actor
from core.models import Effect
from governance.domain.law import Channel, ConsentDecision, LawfulBasis
from governance.services import categories, consent, purposes
from governance.services.consent import ConsentDraft
from governance.services.purposes import VersionDraft
from tests.fakes.world import World
from tests.fakes.world import world as make_world
from vault.models import KeyGrant
from vault.services import key_cache, losing, purpose_keys
from vault.services.grants import CategoryRef


@pytest.fixture
def world(transactional_db: None, tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        purpose_keys.register(made.custodian.available())
        category = categories.create(
            controller_id=made.controller_id, code="health", name="Health",
            schema={"type": "object"}, is_special=False, key_group="main", actor=made.actor,
            now=made.now,
        )  # fmt: skip
        made.category = CategoryRef(category.id, category.key_group)
        yield made


def person(world: World, name: str) -> UUID:
    subject = world.subject(name)
    world.record(subject)
    return subject


def lose(world: World, names: list[str]) -> tuple[list[UUID], dict[bytes, bytes | None]]:
    """People made after a snapshot that is then put back, and the shares of the right one."""
    before = dict(world.custodian.shares)
    people = [person(world, name) for name in names]
    after = dict(world.custodian.shares)
    world.custodian.shares = before
    key_cache.cache().clear()
    losing.find(now=world.now, accepted_by=world.actor)
    return people, after


def find_again(world: World, shares: dict[bytes, bytes | None]) -> None:
    world.custodian.shares = shares
    assert losing.find(now=world.now).standing == 0


def activate(world: World, basis: LawfulBasis) -> None:
    staff = [
        Actor(f"psn_{name}", "compliance-officer", world.controller_id, person_id=uuid4())
        for name in "ab"
    ]
    made = purposes.create(
        controller_id=world.controller_id, code="research", name="R", actor=world.actor,
        now=world.now,
    )  # fmt: skip
    world.purpose_id = made.id
    names = {"controller_id": world.controller_id, "purpose_id": made.id, "now": world.now}
    version = VersionDraft(basis, None, {"health": ["*"]}, retention_days=365)
    purposes.draft_version(**names, draft=version, actor=staff[0])  # type: ignore[arg-type]
    purposes.activate(**names, number=1, actor=staff[1])  # type: ignore[arg-type]


def consented(world: World, subject: UUID) -> consent.ConsentOutcome:
    draft = ConsentDraft(
        subject_id=subject, purpose_id=world.purpose_id, decision=ConsentDecision.GIVEN,
        channel=Channel.WEB, decided_at=world.now, text_digest="0" * 64, language="en",
    )  # fmt: skip
    return consent.record(
        controller_id=world.controller_id, draft=draft, actor=world.actor, now=world.now
    )


def later(world: World) -> None:
    world.later(hours=2)
    effects.sweep(queue="default", now=world.now)


class TestActivate:
    def test_reaches_all_others_and_the_lost_once_they_are_found(self, world: World) -> None:
        ada = person(world, "ada")
        (bo,), right = lose(world, ["bo"])

        activate(world, LawfulBasis.LEGAL_OBLIGATION)
        effects.sweep(queue="default", now=world.now)
        assert set(KeyGrant.objects.values_list("subject_id", flat=True)) == {ada}
        later(world)
        assert Effect.objects.get(kind="governance.ground-again").state == "pending"
        find_again(world, right)
        later(world)

        assert set(KeyGrant.objects.values_list("subject_id", flat=True)) == {ada, bo}
        assert Effect.objects.get(kind="governance.ground-again").state == "done"
        assert len(world.page().rows) == 2

    def test_does_not_stay_under_way_for_the_lost(self, world: World) -> None:
        lose(world, ["bo"])

        activate(world, LawfulBasis.LEGAL_OBLIGATION)
        effects.sweep(queue="default", now=world.now)

        version = purposes.active_version(
            controller_id=world.controller_id, purpose_id=world.purpose_id
        )
        assert version.number == 1


class TestConsent:
    def test_of_the_lost_is_kept_and_granted_once_they_are_found(self, world: World) -> None:
        (bo,), right = lose(world, ["bo"])
        activate(world, LawfulBasis.CONSENT)
        effects.sweep(queue="default", now=world.now)

        assert consented(world, bo).access == "pending"
        later(world)
        assert Effect.objects.get(kind="governance.activate-consents").state == "pending"
        find_again(world, right)
        later(world)

        assert KeyGrant.objects.get().subject_id == bo
        assert len(world.page().rows) == 1
