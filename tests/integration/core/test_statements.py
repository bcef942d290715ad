from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from core import statements
from core.models import LeafInbox
from core.unit_of_work import unit_of_work

pytestmark = pytest.mark.django_db(transaction=True)

INSERT = "INSERT INTO core_leafinbox (id, leaf) VALUES (%s::uuid, %s::bytea)"
SELECT = "SELECT id, leaf FROM core_leafinbox WHERE id = %s"


class TestFetch:
    def test_takes_numbered_places_on_request(self) -> None:
        id_ = uuid4()
        LeafInbox.objects.create(id=id_, leaf=b"leaf")
        numbered = SELECT.replace("%s", "$1")

        assert statements.fetch(SELECT, [id_]) == [(id_, b"leaf")]
        assert statements.fetch(numbered, [id_], numbered=True) == [(id_, b"leaf")]

    def test_is_seen_by_whoever_counts_statements(self) -> None:
        with CaptureQueriesContext(connection) as captured:
            statements.fetch(SELECT, [uuid4()])

        assert [query["sql"] for query in captured.captured_queries] == [SELECT]


class TestPipelined:
    def test_gives_a_fetch_what_was_run_before_it(self) -> None:
        id_ = uuid4()

        with unit_of_work(), statements.pipelined():
            statements.run(INSERT, [id_, b"leaf"])
            found = statements.fetch(SELECT, [id_])
            statements.run(INSERT, [uuid4(), b"last"])

        assert found == [(id_, b"leaf")]
        assert LeafInbox.objects.count() == 2

    def test_raises_what_a_statement_raised_and_keeps_nothing(self) -> None:
        id_ = uuid4()

        with pytest.raises(IntegrityError), unit_of_work(), statements.pipelined():
            _insert_twice(id_)

        assert not LeafInbox.objects.exists()
        with unit_of_work():
            statements.run(INSERT, [id_, b"leaf"])
        assert LeafInbox.objects.count() == 1


def _insert_twice(id_: UUID) -> None:
    statements.run(INSERT, [id_, b"leaf"])
    statements.run(INSERT, [id_, b"leaf"])
