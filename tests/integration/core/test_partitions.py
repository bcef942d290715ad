from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from core import partitions
from core.clock import wall
from core.models import AuditEvent

pytestmark = pytest.mark.django_db(transaction=True)

OLD = datetime(2019, 11, 15, tzinfo=UTC)


def add_event(instant: datetime) -> UUID:
    made = UUID(int=(int(instant.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | 5)
    AuditEvent.objects.create(
        id=made, occurred_at=instant, action="a.b", actor_id="process:t", actor_role="process",
        r=b"r" * 32, leaf=b"l" * 32,
    )  # fmt: skip
    return made


def home_of(event_id: UUID) -> str:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text FROM core_auditevent WHERE id = %s", [event_id]
        )
        row = cursor.fetchone()
    return str(row[0])


class TestEnsure:
    def test_is_done_for_the_coming_months_by_the_migration(self) -> None:
        assert partitions.months_ahead(now=wall()) >= 2

    def test_moves_what_fell_into_the_default_partition(self) -> None:
        event_id = add_event(OLD)
        assert home_of(event_id) == partitions.DEFAULT

        made = partitions.ensure(now=OLD, ahead=1)

        assert made == ["core_auditevent_201911", "core_auditevent_201912"]
        assert home_of(event_id) == "core_auditevent_201911"
        assert partitions.ensure(now=OLD, ahead=1) == []
        partitions.expire(before=datetime(2020, 1, 1, tzinfo=UTC))

    def test_keeps_the_app_role_out_of_new_partitions(self) -> None:
        partitions.ensure(now=OLD, ahead=0)

        with connections["owner"].cursor() as cursor:
            cursor.execute(
                "SELECT has_table_privilege('lethe_app', 'core_auditevent_201911', 'DELETE')"
            )
            assert cursor.fetchone() == (False,)
        partitions.expire(before=datetime(2020, 1, 1, tzinfo=UTC))


class TestExpire:
    def test_drops_only_months_wholly_before(self) -> None:
        partitions.ensure(now=OLD, ahead=1)
        november, december = add_event(OLD), add_event(datetime(2019, 12, 2, tzinfo=UTC))

        dropped = partitions.expire(before=datetime(2019, 12, 3, tzinfo=UTC))

        assert dropped == ["core_auditevent_201911"]
        assert list(AuditEvent.objects.values_list("id", flat=True)) == [december]
        assert november != december
        partitions.expire(before=datetime(2020, 1, 1, tzinfo=UTC))


class TestMigrateCommand:
    def test_refuses_the_app_role_in_one_line(self) -> None:
        with pytest.raises(CommandError, match="--database=owner"):
            call_command("migrate")
