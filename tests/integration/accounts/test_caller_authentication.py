import pytest
from django.db import connections
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import Controller, User
from accounts.services import staff
from core import clock
from tests.integration.accounts.conftest import ACTOR, PASSWORD, OAuth, Program

pytestmark = pytest.mark.django_db


class TestBearerHeader:
    @pytest.mark.parametrize(
        "header",
        [
            "",
            "Bearer",
            "Bearer ",
            "Bearer two words",
            "Bearer \x00",
            "Bearer \xff\xfe",
            "Bearer " + "x" * 20_000,
            "Bearer " + "=" * 600,
            "Basic dTpw",
            "Token abc",
            "bearerabc",
            "null",
        ],
    )
    def test_is_answered_401_when_malformed(self, header: str) -> None:
        response = Client().get("/probe", HTTP_AUTHORIZATION=header)

        assert response.status_code == 401
        assert response["WWW-Authenticate"].startswith('Bearer realm="lethe"')

    def test_that_is_missing_is_asked_for(self) -> None:
        response = Client().get("/probe")

        assert response.status_code == 401
        assert response["WWW-Authenticate"] == 'Bearer realm="lethe"'

    def test_that_is_wrong_is_not_made_good_by_a_session(self, bo: User) -> None:
        browser = _signed_in(bo)

        response = browser.get("/probe", HTTP_AUTHORIZATION="Bearer wrong")

        assert response.status_code == 401

    def test_costs_reads_only(
        self, oauth: OAuth, source: Program, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        token = oauth.client_credentials(source)["access_token"]

        with django_assert_max_num_queries(2) as captured:  # the clock's offset and the token
            status = oauth.probe(token)

        assert status == 200
        assert {query["sql"].split()[0] for query in captured.captured_queries} == {"SELECT"}


class TestStreamProcess:
    def test_takes_tokens_and_never_sessions(
        self, oauth: OAuth, source: Program, bo: User, settings: Settings
    ) -> None:
        token = oauth.client_credentials(source)["access_token"]
        browser = _signed_in(bo)
        settings.LETHE_PROCESS = "stream"

        assert oauth.probe(token) == 200
        assert browser.get("/probe").status_code == 401

    def test_may_read_every_table_it_needs_and_write_none(self, settings: Settings) -> None:
        tables = ["accesstoken", "apiclient", "controller", "user", "roleassignment"]
        with connections["default"].cursor() as cursor:
            cursor.execute(
                "SELECT bool_and(has_table_privilege(%s, 'accounts_' || name, 'SELECT')),"
                " bool_or(has_table_privilege(%s, 'accounts_' || name, 'INSERT, UPDATE, DELETE'))"
                " FROM unnest(%s::text[]) AS name",
                [settings.LETHE_STREAM_ROLE, settings.LETHE_STREAM_ROLE, tables],
            )
            may_read, may_write = cursor.fetchone()

        assert (may_read, may_write) == (True, False)


class TestSession:
    def test_makes_the_signed_in_person_the_caller(self, bo: User) -> None:
        said = _signed_in(bo).get("/probe").json()

        assert said["is_person"] is True
        assert said["person"] == str(bo.person_id)
        assert said["roles"] == ["analyst"]
        assert said["scopes"] == []

    def test_needs_the_csrf_token_on_unsafe_methods(self, bo: User) -> None:
        browser = _signed_in(bo, enforce_csrf=True)
        browser.get("/accounts/password/change/")  # sets the cookie
        token = browser.cookies["csrftoken"].value

        without = browser.post("/probe", {}, content_type="application/json")
        wrong = browser.post(
            "/probe", {}, content_type="application/json", HTTP_X_CSRFTOKEN="x" * 32
        )
        right = browser.post("/probe", {}, content_type="application/json", HTTP_X_CSRFTOKEN=token)

        assert (without.status_code, wrong.status_code, right.status_code) == (403, 403, 200)

    def test_ends_when_the_person_is_deactivated(self, bo: User) -> None:
        browser = _signed_in(bo)
        before = browser.get("/probe").status_code
        staff.deactivate(user_id=bo.pk, actor=ACTOR, now=clock.now())

        assert (before, browser.get("/probe").status_code) == (200, 401)

    def test_ends_when_the_controller_is_deactivated(self, bo: User) -> None:
        browser = _signed_in(bo)
        Controller.objects.update(is_active=False)

        assert browser.get("/probe").status_code == 401

    def test_sees_a_change_of_roles_at_once(self, bo: User) -> None:
        browser = _signed_in(bo)
        staff.assign_roles(user_id=bo.pk, roles=["dpo"], actor=ACTOR, now=clock.now())

        assert browser.get("/probe").json()["roles"] == ["dpo"]


class TestTwoAccountsOfOnePerson:
    def test_are_one_person_to_the_api(
        self, oauth: OAuth, console: Program, bo: User, controller: Controller
    ) -> None:
        second = staff.create(
            email="bo.second@clinic.example",
            password=PASSWORD,
            roles=["compliance-officer"],
            controller_id=controller.pk,
            person_id=bo.person_id,
            actor=ACTOR,
            now=clock.now(),
        )

        first_said = _signed_in(bo).get("/probe").json()
        token = oauth.exchange(console, oauth.code(second, console)["code"])["access_token"]
        second_said = oauth.http.get("/probe", HTTP_AUTHORIZATION=f"Bearer {token}").json()

        assert first_said["person"] == second_said["person"]
        assert first_said["actor"] == second_said["actor"]
        assert first_said["roles"] != second_said["roles"]


def _signed_in(user: User, *, enforce_csrf: bool = False) -> Client:
    browser = Client(enforce_csrf_checks=enforce_csrf)
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser
