"""The attack: somebody has the whole dump of the token tables and nothing else."""

import hashlib

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from accounts.models import AccessToken, AuthorizationGrant, RefreshToken, User
from core import clock
from tests.integration.accounts.conftest import OAuth, Program

pytestmark = pytest.mark.django_db
_TABLES = (AccessToken, RefreshToken, AuthorizationGrant)


def _dump() -> list[str]:
    """Every value of every column of the token tables, as text, also in a JSON column."""
    values: list[str] = []
    with connection.cursor() as cursor:
        for model in _TABLES:
            cursor.execute(f"SELECT * FROM {model._meta.db_table}")
            values += [str(value) for row in cursor.fetchall() for value in row if value]
    return values


class TestStolenDump:
    def test_holds_neither_token_nor_code_in_clear(
        self, oauth: OAuth, source: Program, console: Program, bo: User
    ) -> None:
        program = oauth.client_credentials(source)
        person = oauth.exchange(console, oauth.code(bo, console)["code"])
        unused = oauth.code(bo, console)["code"]

        dump = "\n".join(_dump())

        secrets = [program["access_token"], person["access_token"], person["refresh_token"], unused]
        assert len(dump) > 0
        assert [secret for secret in secrets if str(secret) in dump] == []
        assert hashlib.sha256(str(person["refresh_token"]).encode()).hexdigest() in dump

    def test_opens_nothing_with_any_of_its_values(
        self, oauth: OAuth, source: Program, console: Program, bo: User
    ) -> None:
        live = oauth.client_credentials(source)
        oauth.exchange(console, oauth.code(bo, console)["code"])
        oauth.code(bo, console)
        stolen = _dump()

        calls = {oauth.probe(value) for value in stolen}
        refreshed = {
            oauth.token(console, grant_type="refresh_token", refresh_token=value)["status"]
            for value in stolen
        }
        exchanged = {oauth.exchange(console, value)["status"] for value in stolen}

        assert calls == {401}
        assert refreshed == {400}
        assert exchanged == {400}
        assert oauth.probe(live["access_token"]) == 200

    def test_holds_no_usable_client_secret(self, source: Program) -> None:
        stored = type(source.client).objects.get(pk=source.client.pk).client_secret

        response = Client().post(
            "/o/token",
            {
                "grant_type": "client_credentials",
                "client_id": source.client.client_id,
                "client_secret": stored,
            },
        )

        assert source.secret not in stored
        assert response.status_code == 401

    def test_cannot_be_made_useful_by_storing_a_token_in_clear(self, source: Program) -> None:
        token = AccessToken(
            application=source.client, token="in-clear", scope="", expires=clock.now()
        )

        with pytest.raises(IntegrityError, match="access_token_not_stored"), transaction.atomic():
            token.save()
