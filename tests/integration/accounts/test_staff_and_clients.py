from uuid import uuid4

import pytest

from accounts.errors import (
    ClientNotFound,
    ControllerExists,
    ControllerNotFound,
    EmailTaken,
    StaffNotFound,
    UnknownRole,
    WeakPassword,
)
from accounts.models import APIClient, Controller, RoleAssignment, User
from accounts.services import clients, controllers, staff
from core import clock
from core.errors import InvalidInput
from core.models import AuditEvent
from tests.integration.accounts.conftest import ACTOR, PASSWORD, REDIRECT, Program

pytestmark = pytest.mark.django_db


def _create_staff(controller: Controller, **changed: object) -> User:
    fields: dict[str, object] = {
        "email": "cleo@clinic.example",
        "password": PASSWORD,
        "roles": ["dpo"],
        "controller_id": controller.pk,
        **changed,
    }
    return staff.create(**fields, actor=ACTOR, now=clock.now())  # type: ignore[arg-type]


class TestCreateController:
    def test_refuses_a_slug_that_is_taken(self, controller: Controller) -> None:
        with pytest.raises(ControllerExists):
            controllers.create(
                slug=controller.slug, name="Other", country="FR", actor=ACTOR, now=clock.now()
            )

        assert Controller.objects.count() == 1

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("slug", "Not A Slug"),
            ("slug", ""),
            ("name", " "),
            ("name", "x" * 201),
            ("country", "Germany"),
            ("country", "de"),
            ("timezone", "Europe/Atlantis"),
            ("timezone", "../../etc/passwd"),
        ],
    )
    def test_names_the_field_that_is_wrong(self, field: str, value: str) -> None:
        fields = {"slug": "clinic", "name": "Clinic", "country": "DE", field: value}

        with pytest.raises(InvalidInput) as caught:
            controllers.create(**fields, actor=ACTOR, now=clock.now())

        assert caught.value.context["field"] == field


class TestCreateStaff:
    def test_keeps_the_address_in_lower_case_and_out_of_the_audit(
        self, controller: Controller
    ) -> None:
        user = _create_staff(controller, email="Cleo@Clinic.Example")

        events = AuditEvent.objects.filter(action__startswith="accounts.staff")
        assert user.email == "cleo@clinic.example"
        assert events.count() == 2
        assert "cleo" not in str(list(events.values())).lower()

    def test_refuses_an_address_that_is_taken_in_any_case(self, controller: Controller) -> None:
        _create_staff(controller)

        with pytest.raises(EmailTaken):
            _create_staff(controller, email="CLEO@clinic.example")

        assert User.objects.count() == 1

    def test_makes_a_person_of_their_own_unless_one_is_named(self, controller: Controller) -> None:
        first = _create_staff(controller)
        other = _create_staff(controller, email="mallory@clinic.example")
        same = _create_staff(controller, email="cleo.b@clinic.example", person_id=first.person_id)

        assert first.person_id != other.person_id
        assert first.person_id == same.person_id

    def test_without_password_makes_an_account_nobody_can_sign_in_to(
        self, controller: Controller
    ) -> None:
        user = _create_staff(controller, password=None)

        assert not user.has_usable_password()

    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            ({"email": "no address"}, InvalidInput),
            ({"roles": ["root"]}, UnknownRole),
            ({"password": "short"}, WeakPassword),
            ({"password": "cleo@clinic.example"}, WeakPassword),
            ({"person_id": uuid4()}, StaffNotFound),
        ],
    )
    def test_refuses(
        self, controller: Controller, changed: dict[str, object], error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            _create_staff(controller, **changed)

        assert not User.objects.exists()


class TestAssignRoles:
    def test_replaces_all_roles(self, bo: User) -> None:
        staff.assign_roles(user_id=bo.pk, roles=["dpo", "auditor"], actor=ACTOR, now=clock.now())

        assert bo.roles() == {"dpo", "auditor"}

    def test_that_changes_nothing_records_nothing(self, bo: User) -> None:
        before = AuditEvent.objects.count()

        staff.assign_roles(user_id=bo.pk, roles=["analyst"], actor=ACTOR, now=clock.now())

        assert AuditEvent.objects.count() == before

    def test_refuses_a_role_that_does_not_exist(self, bo: User) -> None:
        with pytest.raises(UnknownRole):
            staff.assign_roles(user_id=bo.pk, roles=["root"], actor=ACTOR, now=clock.now())

        assert RoleAssignment.objects.get().role == "analyst"


class TestCreateClient:
    def test_returns_the_secret_and_stores_a_hash(self, source: Program) -> None:
        stored = APIClient.objects.get(pk=source.client.pk)

        assert len(source.secret) >= 43
        assert source.secret not in stored.client_secret
        assert stored.client_id.startswith("cli_")

    def test_gives_a_public_client_no_secret(self, console: Program) -> None:
        assert console.secret == ""
        assert console.client.client_type == APIClient.CLIENT_PUBLIC

    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            ({"kind": "robot"}, InvalidInput),
            ({"name": ""}, InvalidInput),
            ({"scopes": ["two words"]}, InvalidInput),
            ({"controller_id": None}, InvalidInput),
            ({"scopes": ["staff:act"]}, InvalidInput),
            ({"kind": "console", "redirect_uris": [REDIRECT]}, InvalidInput),
            ({"controller_id": uuid4()}, ControllerNotFound),
            ({"redirect_uris": [REDIRECT]}, InvalidInput),
            ({"kind": "console"}, InvalidInput),
            ({"kind": "console", "redirect_uris": ["javascript:alert(1)"]}, InvalidInput),
            ({"kind": "console", "redirect_uris": ["https://a.example/#f"]}, InvalidInput),
        ],
    )
    def test_refuses(
        self, controller: Controller, changed: dict[str, object], error: type[Exception]
    ) -> None:
        fields: dict[str, object] = {
            "controller_id": controller.pk,
            "name": "import",
            "kind": "source",
            "scopes": ["records:write"],
            **changed,
        }

        with pytest.raises(error):
            clients.create(**fields, actor=ACTOR, now=clock.now())  # type: ignore[arg-type]

        assert not APIClient.objects.exists()


class TestRotateSecret:
    def test_refuses_a_client_without_a_secret(self, console: Program) -> None:
        with pytest.raises(ClientNotFound):
            clients.rotate_secret(client_id=console.client.pk, actor=ACTOR, now=clock.now())

    def test_leaves_no_secret_in_the_audit(self, source: Program) -> None:
        fresh = clients.rotate_secret(client_id=source.client.pk, actor=ACTOR, now=clock.now())

        assert fresh not in str(list(AuditEvent.objects.values()))
