import re

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from tests.integration.accounts.conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_earlier_attempts() -> None:
    cache.clear()


def _sign_in(browser: Client, email: str, password: str = PASSWORD, **extra: str) -> int:
    response = browser.post("/accounts/login/", {"login": email, "password": password, **extra})
    return response.status_code


class TestSignIn:
    def test_takes_the_address_in_any_case(self, bo: User) -> None:
        browser = Client()

        status = _sign_in(browser, bo.email.upper())

        assert status == 302
        assert bo.email.encode() in browser.get("/").content

    def test_says_the_same_for_a_wrong_password_and_an_unknown_address(self, bo: User) -> None:
        wrong = Client().post("/accounts/login/", {"login": bo.email, "password": "x"})
        unknown = Client().post(
            "/accounts/login/", {"login": "ada@clinic.example", "password": "x"}
        )

        errors = [
            re.findall(rb'<ul class="errorlist.*?</ul>', page.content, re.DOTALL)
            for page in (wrong, unknown)
        ]
        assert errors[0] == errors[1] != []

    def test_is_refused_to_an_inactive_account(self, bo: User) -> None:
        User.objects.update(is_active=False)
        browser = Client()

        _sign_in(browser, bo.email)

        assert bo.email.encode() not in browser.get("/").content

    def test_slows_down_guessing(self, bo: User) -> None:
        for _ in range(10):
            _sign_in(Client(), bo.email, "wrong")
        browser = Client()

        _sign_in(browser, bo.email)

        assert bo.email.encode() not in browser.get("/").content

    @pytest.mark.parametrize(
        "place",
        ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"],
    )
    def test_never_sends_people_to_another_site(self, bo: User, place: str) -> None:
        response = Client().post(
            "/accounts/login/", {"login": bo.email, "password": PASSWORD, "next": place}
        )

        assert response["Location"] == "/"


class TestSignUp:
    def test_makes_nobody(self) -> None:
        response = Client().post(
            "/accounts/signup/",
            {"email": "mallory@x.example", "password1": PASSWORD, "password2": PASSWORD},
        )

        assert b"There is no sign-up" in response.content
        assert not User.objects.exists()


class TestPasswordReset:
    def test_writes_to_an_account_and_to_nobody_else(self, bo: User) -> None:
        known = Client().post("/accounts/password/reset/", {"email": bo.email})
        unknown = Client().post("/accounts/password/reset/", {"email": "ada@x.example"})

        assert known["Location"] == unknown["Location"]
        assert [message.to for message in mail.outbox] == [[bo.email]]

    def test_sets_a_password_through_the_link(self, bo: User) -> None:
        User.objects.update(password="!")
        browser = Client()
        browser.post("/accounts/password/reset/", {"email": bo.email})
        found = re.search(r"http://testserver(/\S+)", str(mail.outbox[0].body))
        assert found is not None

        page = browser.get(found.group(1), follow=True)
        browser.post(
            page.redirect_chain[-1][0],
            {"password1": "another good one 9", "password2": "another good one 9"},
        )

        assert _sign_in(Client(), bo.email, "another good one 9") == 302


class TestPages:
    @pytest.mark.parametrize(
        "path",
        ["/", "/accounts/login/", "/accounts/password/reset/", "/accounts/password/reset/done/"],
    )
    def test_are_shown_to_a_stranger_without_outside_assets(self, path: str) -> None:
        response = Client().get(path)

        links = re.findall(rb'(?:src|href)="([^"]+)"', response.content)
        assert response.status_code == 200
        assert [link for link in links if link.startswith((b"http", b"//"))] == []
        assert b'<html lang="en">' in response.content

    @pytest.mark.parametrize("path", ["/accounts/password/change/", "/accounts/logout/"])
    def test_are_shown_to_the_signed_in(self, bo: User, path: str) -> None:
        browser = Client()
        _sign_in(browser, bo.email)

        assert browser.get(path).status_code == 200

    def test_label_every_field(self) -> None:
        page = Client().get("/accounts/login/").content.decode()

        fields = set(re.findall(r'<input (?!type="hidden")[^>]*id="([^"]+)"', page))
        labels = set(re.findall(r'<label for="([^"]+)"', page))
        assert fields
        assert fields <= labels

    @pytest.mark.parametrize(
        "path",
        ["/o/applications/", "/o/introspect/", "/o/device/", "/o/register/", "/accounts/email/"],
    )
    def test_that_are_not_ours_do_not_exist(self, path: str) -> None:
        assert Client().get(path).status_code == 404
