"""Leases as Arrow, read by pyarrow from a real socket."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import requests
from pytest_django.live_server_helper import LiveServer

from core import runtime
from tests.functional.api.cast import FailsLater, Study
from tests.functional.api.cast import cast as make_cast
from tests.functional.api.cast import study as make_study
from vault.services import key_cache

ARROW = "application/vnd.apache.arrow.stream"


@pytest.fixture
def study(transactional_db: None, settings: Any, tmp_path: Path) -> Iterator[Study]:
    settings.STATIC_ROOT = str(tmp_path)
    with make_cast(tmp_path) as made:
        yield make_study(made)


class Reader:
    """Reads one lease over HTTP."""

    def __init__(self, study: Study, server: LiveServer) -> None:
        self.study, self.lease, self.server = study, study.lease(), server

    def open(self, query: str = "", accept: str = ARROW) -> Any:
        url = f"{self.server.url}/api/v1/leases/{self.lease['id']}/records{query}"
        headers = {**self.study.pipeline.headers, "Accept": accept}
        return requests.get(url, headers=headers, stream=True, timeout=30)

    def pages(self, query: str = "") -> Iterator[tuple[list[Any], dict[str, str]]]:
        """Rows and metadata of each batch, for as long as batches come."""
        with self.open(query) as answer:
            assert answer.headers["Content-Type"] == ARROW
            batches = pa.ipc.open_stream(answer.raw)
            for batch, metadata in batches.iter_batches_with_custom_metadata():
                plain = {key.decode(): value.decode() for key, value in metadata.items()}
                yield batch.to_pylist(), plain


@pytest.fixture
def reader(study: Study, live_server: LiveServer) -> Reader:
    for number in range(5):
        study.record(study.patient(f"person-{number}"), age=number, visits=3)
    return Reader(study, live_server)


class TestArrowStream:
    def test_has_the_rows_of_the_lines(self, reader: Reader) -> None:
        ((rows, metadata),) = reader.pages()

        lines = [line for line in reader.study.read(reader.lease) if "alias" in line]
        assert [row | {"data": json.loads(row["data"])} for row in rows] == lines
        assert {row["data"] for row in rows} == {f'{{"age":{number}}}' for number in range(5)}
        assert metadata == {"lethe.records": "5", "lethe.end": "true", "lethe.complete": "true"}

    def test_is_a_table_to_who_asks_for_no_metadata(self, reader: Reader) -> None:
        with reader.open() as answer:
            table = pa.ipc.open_stream(answer.raw).read_all()

        assert table.num_rows == 5
        assert table.column_names == ["alias", "category", "reference", "version", "data"]

    def test_is_resumed_after_a_cut(self, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("governance.services.lease_pages.PAGE_ROWS", 2)
        custodian = reader.study.cast.world.custodian
        key_cache.cache().clear()
        with runtime.override(custodian=FailsLater(custodian, "open_grants", after=1)):
            cut = list(reader.pages())
        ((first, metadata),) = cut

        rest = list(reader.pages(f"?after={metadata['lethe.cursor']}"))

        aliases = [row["alias"] for rows in (first, *(rows for rows, _ in rest)) for row in rows]
        assert "lethe.end" not in metadata
        assert rest[-1][1]["lethe.end"] == "true"
        assert len(first) == 2
        assert aliases == sorted(set(aliases))
        assert len(aliases) == 5

    def test_says_that_nothing_is_left(self, reader: Reader) -> None:
        ((_, metadata),) = reader.pages("?limit=5")

        pages = list(reader.pages(f"?after={metadata['lethe.cursor']}"))

        assert metadata["lethe.complete"] == "false"
        assert pages == [
            ([], {"lethe.records": "0", "lethe.end": "true", "lethe.complete": "true"})
        ]

    def test_answers_problems_as_json(self, reader: Reader) -> None:
        reader.study.pipeline.post(f"/leases/{reader.lease['id']}/close")

        refused = reader.open()

        assert (refused.status_code, refused.json()["code"]) == (409, "lease-closed")

    def test_refuses_other_types(self, reader: Reader) -> None:
        refused = reader.open(accept="text/csv")

        assert (refused.status_code, refused.json()["code"]) == (406, "not-acceptable")
