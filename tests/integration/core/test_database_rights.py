from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections
from psycopg.errors import InsufficientPrivilege
from pytest_django import Settings

from core import database, partitions
from core.clock import wall
from core.ids import new_time_ordered
from core.models import AuditEvent

pytestmark = pytest.mark.django_db


def add_event() -> AuditEvent:
    return AuditEvent.objects.create(
        id=new_time_ordered(),
        occurred_at=wall(),
        action="core.test.done",
        actor_id="process:test",
        actor_role="process",
        r=b"r" * 32,
        leaf=b"l" * 32,
    )


def refused(statement: str) -> bool:
    with pytest.raises(DatabaseError) as caught, connections["default"].cursor() as cursor:
        cursor.execute(statement)
    return isinstance(caught.value.__cause__, InsufficientPrivilege)


class TestAppRole:
    def test_is_the_role_of_plain_tests(self) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT current_user")
            assert cursor.fetchone() == ("lethe_app",)

    def test_inserts_and_reads_audit_events(self) -> None:
        event = add_event()

        assert AuditEvent.objects.get(id=event.id).action == "core.test.done"

    @pytest.mark.parametrize("act", ["UPDATE {} SET action='x'", "DELETE FROM {}", "TRUNCATE {}"])
    @pytest.mark.parametrize("table", ["core_auditevent", "core_signingkey"])
    def test_cannot_change_history(self, act: str, table: str) -> None:
        if table == "core_signingkey":
            act = act.replace("action", "holder")

        assert refused(act.format(table))

    def test_cannot_reach_a_partition_past_its_parent(self) -> None:
        with connections["default"].cursor() as cursor:
            names = partitions.existing(cursor)

        assert len(names) >= 4
        month = names[0]
        assert refused(f"DELETE FROM {month}")

    def test_cannot_reach_the_default_partition(self) -> None:
        assert refused(f"UPDATE {partitions.DEFAULT} SET action='x'")

    def test_cannot_create_tables(self) -> None:
        assert refused("CREATE TABLE mine (id int)")


def writable_tables(role: str) -> dict[str, str]:
    """Tables of the schema by the rights beyond SELECT that `role` has on them."""
    statement = """
        SELECT c.relname, string_agg(r, ',' ORDER BY r)
        FROM pg_class c CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) r
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND has_table_privilege(%s, c.oid, r)
        GROUP BY c.relname
    """
    with connections["default"].cursor() as cursor:
        cursor.execute(statement, [role])
        return dict(cursor.fetchall())


class TestDefaultPrivileges:
    def test_let_the_app_role_write_tables_of_every_app(self) -> None:
        rights = writable_tables("lethe_app")

        assert rights["core_effect"] == rights["django_session"] == "DELETE,INSERT,UPDATE"

    def test_let_the_stream_role_write_no_table_of_the_core_but_three(self) -> None:
        rights = writable_tables("lethe_stream")

        assert {name: right for name, right in rights.items() if name.startswith("core_")} == {
            "core_auditevent": "INSERT",
            "core_leafinbox": "INSERT",
            "core_idempotencyrecord": "INSERT,UPDATE",
        }
        assert not [name for name in rights if name.startswith(("auth_", "django_", "accounts_"))]

    def test_keep_both_roles_out_of_the_migration_history(self) -> None:
        assert "django_migrations" not in writable_tables("lethe_app")


@pytest.mark.django_db(transaction=True)
class TestMissingRole:
    def test_is_named_with_its_remedy(self, settings: Settings) -> None:
        settings.LETHE_APP_ROLE = "lethe_nobody"

        any_apps: Any = apps
        with (
            connections["owner"].schema_editor() as editor,
            pytest.raises(ImproperlyConfigured, match="CREATE ROLE lethe_nobody"),
        ):
            database.default_privileges().code(any_apps, editor)
