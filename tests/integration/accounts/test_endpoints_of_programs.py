"""Programs hold no CSRF token, so the endpoints they call must not ask for one."""

import pytest
from django.test import Client


@pytest.mark.django_db
class TestTokenEndpoints:
    @pytest.mark.parametrize("path", ["/o/token", "/o/token/", "/o/revoke_token/"])
    def test_ask_for_a_client_and_not_for_a_csrf_token(self, path: str) -> None:
        answer = Client(enforce_csrf_checks=True).post(
            path, {"grant_type": "client_credentials", "token": "x"}
        )

        assert answer.status_code == 401
        assert answer.json()["error"] == "invalid_client"

    def test_keep_the_protection_of_the_consent_page(self) -> None:
        assert Client(enforce_csrf_checks=True).post("/o/authorize/", {}).status_code == 403
