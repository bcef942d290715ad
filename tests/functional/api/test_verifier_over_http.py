"""The verifier's page as the product serves it: the very file, which may connect to nothing."""

from pathlib import Path

from django.test import Client

PAGE = Path(__file__).parents[3] / "contracts" / "verifier_js" / "page.html"


class TestPage:
    def test_is_the_file_under_its_own_policy(self) -> None:
        answer = Client().get("/verify")

        assert (answer.status_code, answer.content) == (200, PAGE.read_bytes())
        policy = answer["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
        assert "frame-ancestors 'none'" in policy
        assert "connect-src" not in policy

    def test_asks_for_no_sign_in_and_sets_no_cookie(self) -> None:
        answer = Client().get("/verify")

        assert answer["Content-Type"] == "text/html; charset=utf-8"
        assert not answer.cookies

    def test_takes_nothing(self) -> None:
        assert Client().post("/verify", {"file": "x"}).status_code == 405
