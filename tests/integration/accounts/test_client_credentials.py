import base64
from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import AccessToken, Controller
from accounts.services import clients
from core import clock
from tests.integration.accounts.conftest import ACTOR, OAuth, Program

pytestmark = pytest.mark.django_db


class TestClientCredentials:
    def test_give_a_token_for_ten_minutes_with_the_scopes_of_the_client(
        self, oauth: OAuth, source: Program
    ) -> None:
        answer = oauth.client_credentials(source)

        assert answer["expires_in"] == 600
        assert str(answer["scope"]).split() == ["consent:write", "records:write"]
        assert "refresh_token" not in answer

    def test_bind_the_token_to_the_controller_of_the_client(
        self, oauth: OAuth, source: Program, controller: Controller
    ) -> None:
        token = oauth.client_credentials(source, scope="records:write")["access_token"]

        said = oauth.http.get("/probe", HTTP_AUTHORIZATION=f"Bearer {token}").json()

        assert said["controller"] == str(controller.pk)
        assert said["actor"] == source.client.client_id
        assert said["is_person"] is False
        assert said["roles"] == []
        assert said["scopes"] == ["records:write"]

    @pytest.mark.parametrize("scope", ["staff:act", "nonsense", "records:write staff:act", "\x00"])
    def test_refuse_a_scope_that_is_not_listed_on_the_client(
        self, oauth: OAuth, source: Program, scope: str
    ) -> None:
        answer = oauth.token(source, grant_type="client_credentials", scope=scope)

        assert (answer["status"], answer["error"]) == (400, "invalid_scope")

    def test_refuse_a_listed_scope_that_the_registry_does_not_know(
        self, oauth: OAuth, source: Program
    ) -> None:
        type(source.client).objects.update(allowed_scopes=["gone:read"])

        named = oauth.token(source, grant_type="client_credentials", scope="gone:read")
        default = oauth.token(source, grant_type="client_credentials")

        assert named["error"] == default["error"] == "invalid_scope"

    def test_refuse_another_clients_secret(
        self, oauth: OAuth, source: Program, other_source: Program
    ) -> None:
        mixed = Program(source.client, other_source.secret)

        answer = oauth.token(mixed, grant_type="client_credentials")

        assert (answer["status"], answer["error"]) == (401, "invalid_client")

    @pytest.mark.parametrize(
        "grant_type",
        [
            "password",
            "authorization_code",
            "refresh_token",
            "implicit",
            "urn:ietf:params:oauth:grant-type:device_code",
            "",
            "\x00",
        ],
    )
    def test_are_the_only_flow_of_a_program(
        self, oauth: OAuth, source: Program, grant_type: str
    ) -> None:
        answer = oauth.token(
            source,
            grant_type=grant_type,
            username="bo@clinic.example",
            password="x",
            code="x",
            refresh_token="x",
            device_code="x",
        )

        assert answer["status"] in {400, 401}
        assert "access_token" not in answer

    def test_are_refused_to_the_public_client_of_people(
        self, oauth: OAuth, console: Program
    ) -> None:
        answer = oauth.token(console, grant_type="client_credentials")

        assert answer["status"] in {400, 401}
        assert "access_token" not in answer

    def test_lose_a_scope_the_moment_it_is_taken_from_the_client(
        self, oauth: OAuth, source: Program
    ) -> None:
        token = oauth.client_credentials(source)["access_token"]
        type(source.client).objects.update(allowed_scopes=["consent:write"])

        said = oauth.http.get("/probe", HTTP_AUTHORIZATION=f"Bearer {token}").json()

        assert said["scopes"] == ["consent:write"]


class TestAccessToken:
    def test_is_refused_after_ten_minutes(self, oauth: OAuth, source: Program) -> None:
        token = oauth.client_credentials(source)["access_token"]
        clock.move(ahead=timedelta(seconds=599))
        in_time = oauth.probe(token)
        clock.move(ahead=timedelta(seconds=601))

        assert (in_time, oauth.probe(token)) == (200, 401)

    def test_is_refused_after_its_client_revoked_it(self, oauth: OAuth, source: Program) -> None:
        token = oauth.client_credentials(source)["access_token"]
        before = oauth.probe(token)

        oauth.http.post("/o/revoke_token", {"token": token}, **source.basic())  # type: ignore[arg-type]

        assert (before, oauth.probe(token)) == (200, 401)

    def test_outlives_a_revocation_by_another_client(
        self, oauth: OAuth, source: Program, other_source: Program
    ) -> None:
        token = oauth.client_credentials(source)["access_token"]

        oauth.http.post("/o/revoke_token", {"token": token}, **other_source.basic())  # type: ignore[arg-type]

        assert oauth.probe(token) == 200

    def test_names_its_own_controller_and_never_the_other(
        self, oauth: OAuth, source: Program, other_source: Program, other_controller: Controller
    ) -> None:
        mine = oauth.client_credentials(source)["access_token"]
        theirs = oauth.client_credentials(other_source)["access_token"]

        said = [
            oauth.http.get("/probe", HTTP_AUTHORIZATION=f"Bearer {token}").json()["controller"]
            for token in (mine, theirs)
        ]

        assert said == [str(source.client.controller_id), str(other_controller.pk)]

    def test_is_refused_when_the_client_is_deactivated(self, oauth: OAuth, source: Program) -> None:
        token = oauth.client_credentials(source)["access_token"]
        type(source.client).objects.update(is_active=False)

        assert oauth.probe(token) == 401
        assert oauth.token(source, grant_type="client_credentials")["status"] == 401

    def test_is_refused_when_the_controller_is_deactivated(
        self, oauth: OAuth, source: Program
    ) -> None:
        token = oauth.client_credentials(source)["access_token"]
        Controller.objects.update(is_active=False)

        assert oauth.probe(token) == 401

    def test_ends_when_the_secret_is_rotated(self, oauth: OAuth, source: Program) -> None:
        token = oauth.client_credentials(source)["access_token"]

        fresh = clients.rotate_secret(client_id=source.client.pk, actor=ACTOR, now=clock.now())

        assert oauth.probe(token) == 401
        assert oauth.token(source, grant_type="client_credentials")["status"] == 401
        assert oauth.client_credentials(Program(source.client, fresh))["status"] == 200

    def test_of_a_program_that_names_a_user_is_refused(self, oauth: OAuth, source: Program) -> None:
        token = oauth.client_credentials(source)["access_token"]
        from accounts.models import User

        user = User.objects.create_user(email="x@clinic.example", password=None)
        AccessToken.objects.update(user=user)

        assert oauth.probe(token) == 401

    def test_is_not_read_from_the_query(self, oauth: OAuth, source: Program) -> None:
        token = oauth.client_credentials(source)["access_token"]

        assert oauth.http.get(f"/probe?access_token={token}").status_code == 401


class TestTokenEndpoint:
    @pytest.mark.parametrize(
        "header",
        ["Basic", "Basic !!!", "Basic " + base64.b64encode(b"\xff:\x00").decode(), "Bearer x", ""],
    )
    def test_answers_a_malformed_header_without_failing(self, header: str) -> None:
        response = Client().post(
            "/o/token", {"grant_type": "client_credentials"}, HTTP_AUTHORIZATION=header
        )

        assert response.status_code in {400, 401}

    @pytest.mark.parametrize("body", ["", "%", "grant_type", "\xff\x00", "a=b&" * 50 + "="])
    def test_answers_a_malformed_body_without_failing(self, body: str) -> None:
        response = Client().post("/o/token", body, content_type="application/x-www-form-urlencoded")

        assert 400 <= response.status_code < 500

    def test_is_not_cached(self, oauth: OAuth, source: Program) -> None:
        response = oauth.http.post(
            "/o/token",
            {"grant_type": "client_credentials"},
            **source.basic(),  # type: ignore[arg-type]
        )

        assert "no-store" in response["Cache-Control"]
