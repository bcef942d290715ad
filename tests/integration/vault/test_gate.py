"""The lease that opens the gate: what a restored, promoted or copied database reads."""

from datetime import timedelta

import pytest
from django.db import connection, connections

from core import clock
from core.unit_of_work import unit_of_work
from vault.domain.gate import Reason
from vault.errors import RestoreReplayRequired
from vault.models import GateLease
from vault.services import gate

pytestmark = pytest.mark.django_db(transaction=True)


def is_open() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + gate.OPEN_SQL)
        (answer,) = cursor.fetchone()
    return bool(answer)


class TestState:
    def test_is_closed_before_anybody_compared(self) -> None:
        GateLease.objects.all().delete()

        assert gate.state() == gate.State(is_open=False, reason=Reason.NOT_CHECKED)
        assert not is_open()
        with pytest.raises(RestoreReplayRequired):
            gate.require_open()

    def test_is_open_after_a_comparison_on_this_server(self) -> None:
        assert gate.state().is_open
        assert is_open()
        gate.require_open()

    @pytest.mark.parametrize(
        "column", ["system_identifier", "table_oid", "postmaster_started"]
    )  # fmt: skip
    def test_is_closed_on_another_server(self, column: str) -> None:
        row = GateLease.objects.get()
        value = getattr(row, column)
        one = timedelta(microseconds=1) if column == "postmaster_started" else 1
        GateLease.objects.update(**{column: value + one})

        assert gate.state().reason is Reason.SERVER_CHANGED
        assert not is_open()

    def test_is_closed_once_the_lease_ran_out_whatever_our_clock_says(self) -> None:
        GateLease.objects.update(until=clock.now() - timedelta(seconds=1))

        assert gate.state().reason is Reason.LEASE_EXPIRED
        assert not is_open()

    def test_says_why_the_eraser_closed_it(self) -> None:
        with unit_of_work():
            gate.write(Reason.DATABASE_BEHIND, server=gate.identity(), now=clock.now())

        assert gate.state().reason is Reason.DATABASE_BEHIND
        assert "replay" in gate.state().words
        assert not is_open()

    def test_keeps_the_time_since_when_it_stands_so(self) -> None:
        first = gate.state().since
        with unit_of_work():
            gate.write(Reason.IN_STEP, server=gate.identity(), now=clock.now())

        assert gate.state().since == first

    def test_is_read_by_the_stream_role_too(self) -> None:
        with connections["owner"].cursor() as cursor:
            cursor.execute(
                "SELECT has_table_privilege('lethe_stream', 'vault_gatelease', 'SELECT') AND"
                " NOT has_table_privilege('lethe_stream', 'vault_gatelease', 'UPDATE')"
            )
            assert cursor.fetchone() == (True,)


class TestIdentity:
    def test_changes_when_the_table_is_made_anew_as_a_restored_dump_does(self) -> None:
        before = gate.identity()
        with connections["owner"].cursor() as cursor:
            cursor.execute("CREATE TABLE gate_copy (LIKE vault_gatelease INCLUDING ALL)")
            cursor.execute("INSERT INTO gate_copy SELECT * FROM vault_gatelease")
            cursor.execute("ALTER TABLE vault_gatelease RENAME TO gate_old")
            cursor.execute("ALTER TABLE gate_copy RENAME TO vault_gatelease")
        try:
            assert gate.identity() != before
            with connections["owner"].cursor() as cursor:
                cursor.execute("SELECT " + gate.OPEN_SQL)
                assert cursor.fetchone() == (False,)
        finally:
            with connections["owner"].cursor() as cursor:
                cursor.execute("DROP TABLE vault_gatelease")
                cursor.execute("ALTER TABLE gate_old RENAME TO vault_gatelease")
