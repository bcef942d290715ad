from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import AccessToken, AuthorizationGrant, Controller, User
from core import clock
from tests.integration.accounts.conftest import CHALLENGE, REDIRECT, VERIFIER, OAuth, Program

pytestmark = pytest.mark.django_db


class TestAuthorizationCode:
    def test_gives_a_person_a_token_with_their_roles(
        self, oauth: OAuth, console: Program, bo: User
    ) -> None:
        answer = oauth.exchange(console, oauth.code(bo, console)["code"])

        said = oauth.http.get(
            "/probe", HTTP_AUTHORIZATION=f"Bearer {answer['access_token']}"
        ).json()
        assert answer["expires_in"] == 600
        assert said["is_person"] is True
        assert said["person"] == str(bo.person_id)
        assert said["roles"] == ["analyst"]
        assert said["scopes"] == ["staff:act"]
        assert said["controller"] == str(bo.controller_id)

    @pytest.mark.parametrize(
        "changed",
        [
            pytest.param(
                {"code_challenge": None, "code_challenge_method": None}, id="no challenge"
            ),
            pytest.param({"code_challenge_method": None}, id="no method"),
            pytest.param(
                {"code_challenge": VERIFIER, "code_challenge_method": "plain"}, id="plain"
            ),
            pytest.param({"code_challenge": "short"}, id="short challenge"),
            pytest.param({"code_challenge": "x" * 5000}, id="long challenge"),
            pytest.param({"scope": "records:write"}, id="scope of a program"),
            pytest.param({"response_type": "token"}, id="implicit"),
            pytest.param({"response_type": "code token"}, id="hybrid"),
            pytest.param({"resource": "https://other.example"}, id="resource indicator"),
        ],
    )
    def test_is_refused_with(
        self, oauth: OAuth, console: Program, bo: User, changed: dict[str, str | None]
    ) -> None:
        answer = oauth.code(bo, console, **changed)

        assert "code" not in answer
        assert answer["error"]
        assert not AuthorizationGrant.objects.exists()

    @pytest.mark.parametrize(
        "uri", ["https://evil.example/", f"{REDIRECT}/deeper", f"{REDIRECT}?x=1", "javascript:x"]
    )
    def test_never_leads_to_a_place_that_is_not_registered(
        self, console: Program, bo: User, uri: str
    ) -> None:
        browser = Client()
        browser.force_login(bo, backend="django.contrib.auth.backends.ModelBackend")
        asked = {
            "client_id": console.client.client_id,
            "response_type": "code",
            "redirect_uri": uri,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }

        response = browser.get("/o/authorize", asked)

        assert response.status_code == 400
        assert "Location" not in response

    def test_asks_a_stranger_to_sign_in_first(self, console: Program) -> None:
        response = Client().get("/o/authorize", {"client_id": console.client.client_id})

        assert response.status_code == 302
        assert response["Location"].startswith("/accounts/login/?next=/o/authorize")

    def test_asks_before_it_gives(self, console: Program, bo: User) -> None:
        browser = Client()
        browser.force_login(bo, backend="django.contrib.auth.backends.ModelBackend")

        response = browser.get(
            "/o/authorize",
            {
                "client_id": console.client.client_id,
                "response_type": "code",
                "redirect_uri": REDIRECT,
                "scope": "staff:act",
                "code_challenge": CHALLENGE,
                "code_challenge_method": "S256",
            },
        )

        assert response.status_code == 200
        assert b"Act with your roles" in response.content

    def test_never_carries_a_scope_of_programs(
        self, oauth: OAuth, console: Program, bo: User
    ) -> None:
        type(console.client).objects.update(allowed_scopes=["staff:act", "records:write"])
        answer = oauth.exchange(console, oauth.code(bo, console)["code"])
        AccessToken.objects.update(scope="staff:act records:write")

        said = oauth.http.get("/probe", HTTP_AUTHORIZATION=f"Bearer {answer['access_token']}")

        assert oauth.code(bo, console, scope="records:write")["error"] == "invalid_scope"
        assert said.json()["scopes"] == ["staff:act"]

    def test_serves_the_staff_of_its_own_controller_only(
        self, oauth: OAuth, console: Program, bo: User, other_controller: Controller
    ) -> None:
        type(console.client).objects.update(controller=other_controller)

        answer = oauth.code(bo, console)

        assert answer["error"] == "access_denied"


class TestExchange:
    def test_refuses_a_code_that_was_used(self, oauth: OAuth, console: Program, bo: User) -> None:
        code = oauth.code(bo, console)["code"]
        first = oauth.exchange(console, code)

        second = oauth.exchange(console, code)

        assert (first["status"], second["status"]) == (200, 400)
        assert second["error"] == "invalid_grant"

    @pytest.mark.parametrize(
        "changed",
        [
            pytest.param({"code_verifier": "w" * 64}, id="wrong verifier"),
            pytest.param({"code_verifier": ""}, id="no verifier"),
            pytest.param({"code_verifier": CHALLENGE}, id="the challenge as verifier"),
            pytest.param({"redirect_uri": "https://evil.example/"}, id="other redirect"),
            pytest.param({"code": "x"}, id="unknown code"),
            pytest.param({"code": "\x00"}, id="NUL as code"),
        ],
    )
    def test_refuses(
        self, oauth: OAuth, console: Program, bo: User, changed: dict[str, str]
    ) -> None:
        code = oauth.code(bo, console)["code"]

        answer = oauth.exchange(console, **{"code": code, **changed})

        assert answer["status"] == 400
        assert "access_token" not in answer

    def test_refuses_a_code_after_a_minute(self, oauth: OAuth, console: Program, bo: User) -> None:
        code = oauth.code(bo, console)["code"]
        clock.move(ahead=timedelta(seconds=61))

        assert oauth.exchange(console, code)["error"] == "invalid_grant"

    def test_refuses_the_code_of_a_person_who_was_deactivated(
        self, oauth: OAuth, console: Program, bo: User
    ) -> None:
        code = oauth.code(bo, console)["code"]
        User.objects.update(is_active=False)

        assert oauth.exchange(console, code)["error"] == "invalid_grant"

    def test_refuses_another_clients_code(
        self, oauth: OAuth, console: Program, source: Program, bo: User
    ) -> None:
        code = oauth.code(bo, console)["code"]

        answer = oauth.exchange(source, code)

        assert "access_token" not in answer


class TestRefresh:
    def test_gives_a_new_pair_and_ends_the_old_one(
        self, oauth: OAuth, console: Program, bo: User
    ) -> None:
        first = oauth.exchange(console, oauth.code(bo, console)["code"])

        second = _refresh(oauth, console, first["refresh_token"])

        assert second["status"] == 200
        assert second["refresh_token"] != first["refresh_token"]
        assert oauth.probe(first["access_token"]) == 401
        assert oauth.probe(second["access_token"]) == 200

    def test_of_a_used_token_ends_the_whole_family(
        self, oauth: OAuth, console: Program, bo: User
    ) -> None:
        first = oauth.exchange(console, oauth.code(bo, console)["code"])
        second = _refresh(oauth, console, first["refresh_token"])

        replayed = _refresh(oauth, console, first["refresh_token"])

        assert replayed["error"] == "invalid_grant"
        assert oauth.probe(second["access_token"]) == 401
        assert _refresh(oauth, console, second["refresh_token"])["error"] == "invalid_grant"

    def test_ends_eight_hours_after_the_last_access_token(
        self, oauth: OAuth, console: Program, bo: User
    ) -> None:
        first = oauth.exchange(console, oauth.code(bo, console)["code"])
        clock.move(ahead=timedelta(hours=8, minutes=11))

        assert _refresh(oauth, console, first["refresh_token"])["error"] == "invalid_grant"

    def test_is_refused_after_revocation(self, oauth: OAuth, console: Program, bo: User) -> None:
        first = oauth.exchange(console, oauth.code(bo, console)["code"])
        oauth.http.post(
            "/o/revoke_token",
            {"token": str(first["refresh_token"]), "client_id": console.client.client_id},
        )

        assert _refresh(oauth, console, first["refresh_token"])["error"] == "invalid_grant"
        assert oauth.probe(first["access_token"]) == 401

    def test_is_refused_to_a_deactivated_person(
        self, oauth: OAuth, console: Program, bo: User
    ) -> None:
        first = oauth.exchange(console, oauth.code(bo, console)["code"])
        User.objects.update(is_active=False)

        assert oauth.probe(first["access_token"]) == 401
        assert _refresh(oauth, console, first["refresh_token"])["error"] == "invalid_grant"

    def test_is_refused_to_another_client(
        self, oauth: OAuth, console: Program, source: Program, bo: User
    ) -> None:
        first = oauth.exchange(console, oauth.code(bo, console)["code"])

        stolen = _refresh(oauth, source, first["refresh_token"])

        assert "access_token" not in stolen
        assert oauth.probe(first["access_token"]) == 200

    def test_cannot_widen_the_scope(self, oauth: OAuth, console: Program, bo: User) -> None:
        type(console.client).objects.update(allowed_scopes=["staff:act", "consent:write"])
        first = oauth.exchange(console, oauth.code(bo, console)["code"])

        wider = oauth.token(
            console,
            grant_type="refresh_token",
            refresh_token=str(first["refresh_token"]),
            scope="staff:act consent:write",
        )

        assert wider["error"] == "invalid_scope"


def _refresh(oauth: OAuth, console: Program, token: object) -> dict[str, object]:
    return oauth.token(console, grant_type="refresh_token", refresh_token=str(token))
