"""What the stream process can do with its own database role, and what it cannot."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.urls import clear_url_caches
from psycopg.errors import InsufficientPrivilege
from pytest_django import Settings

from core.ids import PublicId
from governance.models import Disclosure
from tests.functional.api.cast import Study, unknown

ROLE = "lethe_stream"


@contextmanager
def stream_process(settings: Settings) -> Iterator[None]:
    """Its URLs, its name and its role, for the length of the block."""
    before = (settings.ROOT_URLCONF, settings.LETHE_PROCESS, connection.settings_dict["USER"])
    _become("config.urls_stream", "stream", ROLE, settings)
    try:
        yield
    finally:
        _become(*before, settings)


def _become(urls: str, process: str, role: str, settings: Settings) -> None:
    settings.ROOT_URLCONF, settings.LETHE_PROCESS = urls, process
    clear_url_caches()
    connection.close()
    pool: Any = getattr(connection, "close_pool", None)
    if pool is not None:
        pool()
    connection.settings_dict["USER"] = role


class TestStreamProcess:
    def test_streams_under_its_own_role(self, study: Study, settings: Settings) -> None:
        study.patient("ada")
        lease = study.lease()
        pipeline = study.pipeline

        with stream_process(settings):
            lines = study.read(lease, by=pipeline)
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_user")
                role = cursor.fetchone()

        assert role == (ROLE,)
        assert lines[0]["data"] == {"age": 41}
        assert lines[-1]["end"]
        assert Disclosure.objects.count() == 1
        assert pipeline.get(f"/leases/{lease['id']}").json()["records_sent"] == 1

    @pytest.mark.usefixtures("study")
    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM governance_disclosure",
            "INSERT INTO governance_lease DEFAULT VALUES",
            "UPDATE vault_subject SET state = 'live'",
            "DELETE FROM vault_keygrant",
            "INSERT INTO vault_keygrant DEFAULT VALUES",
        ],
    )
    def test_can_write_nothing_else(self, settings: Settings, statement: str) -> None:
        with (
            stream_process(settings),
            pytest.raises(DatabaseError) as caught,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)

        assert isinstance(caught.value.__cause__, InsufficientPrivilege)

    def test_serves_no_other_route(self, study: Study, settings: Settings) -> None:
        pipeline, source = study.pipeline, study.cast.clinic.source()

        with stream_process(settings):
            answers = [
                pipeline.post(f"/purposes/{study.purpose}/leases"),
                source.get(f"/subjects/{unknown(PublicId.SUBJECT)}"),
            ]

        assert [answer.status_code for answer in answers] == [404, 404]
