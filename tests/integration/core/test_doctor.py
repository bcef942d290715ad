from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from pytest_django import Settings

from core import clock, doctor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folders(settings: Settings, tmp_path: Path) -> None:
    settings.LETHE_STATE_DIR = tmp_path
    settings.LETHE_JOURNAL_DIR = tmp_path / "journal"
    settings.LETHE_BROKER_DIR = tmp_path / "broker"
    settings.LETHE_DOCTOR_CHECKS = []


def wrong() -> list[str]:
    return [finding.name for finding in doctor.findings() if not finding.is_right]


class TestFindings:
    def test_are_all_right_on_a_sound_installation(self) -> None:
        assert wrong() == []

    def test_name_a_folder_that_cannot_be_written(self, settings: Settings, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        settings.LETHE_JOURNAL_DIR = tmp_path / "file"

        assert wrong() == ["journal folder"]

    def test_name_a_clock_that_the_database_s_does_not_share(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        behind = clock.wall() - timedelta(minutes=1)
        monkeypatch.setattr(clock, "wall", lambda: behind)

        assert wrong() == ["clock goes with the database's"]

    def test_name_a_broker_folder_that_others_can_read(self, tmp_path: Path) -> None:
        (tmp_path / "broker").mkdir(mode=0o755)

        assert wrong() == ["broker folder is private"]

    def test_name_a_right_that_the_app_role_should_not_have(self) -> None:
        with connections["owner"].cursor() as cursor:
            cursor.execute("GRANT UPDATE ON core_auditevent TO lethe_app")
            try:
                assert wrong() == [
                    "core_auditevent is insert-only",
                    "rights are as the migrations set them",
                ]
            finally:
                cursor.execute("REVOKE UPDATE ON core_auditevent FROM lethe_app")

    def test_take_in_the_checks_of_upper_rooms(self, settings: Settings) -> None:
        settings.LETHE_DOCTOR_CHECKS = [f"{__name__}.broken_key_store"]

        assert wrong() == ["key store answers"]


class TestCommand:
    def test_prints_a_remedy_and_fails(self, settings: Settings) -> None:
        settings.LETHE_DOCTOR_CHECKS = [f"{__name__}.broken_key_store"]
        output = StringIO()

        with pytest.raises(CommandError):
            call_command("doctor", stdout=output)

        assert "WRONG  key store answers\n       Unseal it." in output.getvalue()


def broken_key_store() -> list[doctor.Finding]:
    return [doctor.Finding("key store answers", is_right=False, remedy="Unseal it.")]
