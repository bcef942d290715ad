from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections

from accounts.models import AccessToken, User
from tests.integration.accounts.conftest import OAuth, Program

pytestmark = pytest.mark.django_db(transaction=True)
_AT_ONCE = 4


class TestRefreshAtOnce:
    def test_gives_exactly_one_new_pair(self, console: Program, bo: User, oauth: OAuth) -> None:
        first = oauth.exchange(console, oauth.code(bo, console)["code"])
        start = Barrier(_AT_ONCE)

        def refresh(_: int) -> object:
            start.wait()
            try:
                return OAuth().token(
                    console,
                    grant_type="refresh_token",
                    refresh_token=str(first["refresh_token"]),
                )["status"]
            finally:
                connections.close_all()

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            statuses = sorted(map(str, pool.map(refresh, range(_AT_ONCE))))

        assert statuses == ["200"] + ["400"] * (_AT_ONCE - 1)
        assert AccessToken.objects.count() <= 1
