from uuid import UUID

import pytest

from accounts.models import APIClient
from accounts.services import clients, controllers
from core import clock, ids
from core.actors import process_actor
from core.ids import PublicId
from governance.adapters.scopes import RegistryScopes, purpose_scope
from governance.services import purposes

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = process_actor("command")


def controller(slug: str) -> UUID:
    made = controllers.create(slug=slug, name=slug, country="DE", actor=ACTOR, now=clock.now())
    return UUID(str(made.pk))


def purpose(controller_id: UUID) -> UUID:
    made = purposes.create(
        controller_id=controller_id, code="research", name="R", actor=ACTOR, now=clock.now()
    )
    return made.id


def client(controller_id: UUID, *scopes: str) -> APIClient:
    made, _ = clients.create(
        controller_id=controller_id,
        name="c",
        kind="pipeline",
        scopes=scopes,
        actor=ACTOR,
        now=clock.now(),
    )
    return made


def available(made: APIClient) -> set[str]:
    return set(RegistryScopes().get_available_scopes(application=made))


class TestAvailableScopes:
    def test_are_the_clients_own_among_those_that_exist(self) -> None:
        clinic = controller("clinic")
        read = purpose_scope(purpose(clinic))

        assert available(client(clinic, read, "records:write")) == {read, "records:write"}
        assert available(client(clinic)) == set()

    def test_never_reach_a_purpose_of_another_controller(self) -> None:
        clinic, insurer = controller("clinic"), controller("insurer")

        assert available(client(insurer, purpose_scope(purpose(clinic)))) == set()

    def test_leave_out_what_does_not_exist(self) -> None:
        clinic = controller("clinic")
        unknown = purpose_scope(ids.new_random())

        assert available(client(clinic, unknown, "purpose:custody:read", "sudo")) == set()


class TestAllScopes:
    def test_name_each_purpose_by_its_public_id(self) -> None:
        made = purpose(controller("clinic"))

        everything = RegistryScopes().get_all_scopes()

        assert f"purpose:{ids.format(PublicId.PURPOSE, made)}:read" in everything
