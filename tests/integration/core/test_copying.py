from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection

from core.copying import copy_in
from core.models import AuditEvent, LeafInbox
from core.unit_of_work import TransactionMisuse, unit_of_work
from vault.models import SealedOpening, Subject

pytestmark = pytest.mark.django_db(transaction=True)

LEAVES = {"id": "uuid", "leaf": "bytea"}
OPENINGS = {"event_id": "uuid", "subject_id": "uuid", "sealed": "bytea"}
#: Few rows go by INSERT and many by COPY; what holds for one holds for the other.
COUNTS = pytest.mark.parametrize("count", [1, 4, 5, 500])


def subject(state: str) -> UUID:
    row = Subject.objects.create(
        controller_id=uuid4(), state=state, created_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    return row.id


class TestCopyIn:
    @COUNTS
    def test_stores_every_row(self, count: int) -> None:
        rows = [(uuid4(), number.to_bytes(32)) for number in range(count)]

        with unit_of_work():
            copy_in(table="core_leafinbox", columns=LEAVES, rows=iter(rows))

        stored = LeafInbox.objects.values_list("id", "leaf")
        assert {(id_, bytes(leaf)) for id_, leaf in stored} == set(rows)

    @COUNTS
    def test_lets_triggers_refuse_what_an_insert_may_not(self, count: int) -> None:
        fenced = subject("fenced")

        with pytest.raises(DatabaseError, match="late writer"), unit_of_work():
            copy_in(
                table="vault_sealedopening",
                columns=OPENINGS,
                rows=[(uuid4(), fenced, b"sealed") for _ in range(count)],
            )

        assert not SealedOpening.objects.exists()

    @COUNTS
    def test_raises_what_an_insert_raises(self, count: int) -> None:
        twice = uuid4()

        with pytest.raises(IntegrityError), unit_of_work():
            copy_in(
                table="core_leafinbox",
                columns=LEAVES,
                rows=[(uuid4(), b"a")] * (count - 1) + [(twice, b"a"), (twice, b"b")],
            )

    def test_stores_nothing_of_nothing(self) -> None:
        with unit_of_work():
            copy_in(table="core_leafinbox", columns=LEAVES, rows=[])

        assert not LeafInbox.objects.exists()

    def test_needs_a_unit_of_work(self) -> None:
        with pytest.raises(TransactionMisuse):
            copy_in(table="core_leafinbox", columns=LEAVES, rows=[(uuid4(), b"a")])


class TestAnyOf:
    @pytest.mark.parametrize("make", [list, set, iter])
    def test_finds_rows_by_any_of_many_values(self, make: Callable[[list[UUID]], object]) -> None:
        wanted = [subject("live") for _ in range(3)]
        subject("live")

        found = Subject.objects.filter(id__any=make([*wanted, uuid4()]))

        assert {row.id for row in found} == set(wanted)

    def test_finds_nothing_by_no_value(self) -> None:
        subject("live")

        assert not Subject.objects.filter(id__any=[]).exists()

    def test_follows_a_relation_and_compares_bytes(self) -> None:
        owner = subject("live")
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO vault_sealedopening (event_id, subject_id, sealed)"
                " VALUES (gen_random_uuid(), %s, %s)",
                [owner, b"\x00\xff"],
            )

        found = SealedOpening.objects.filter(subject_id__any=[owner], sealed__any=[b"\x00\xff"])

        assert found.count() == 1
        assert AuditEvent.objects.filter(action__any=["x"]).count() == 0
