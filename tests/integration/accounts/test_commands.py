import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import APIClient, Controller, User
from tests.integration.accounts.conftest import OAuth, Program

pytestmark = pytest.mark.django_db
_CLINIC = ["--controller", "clinic", "--name", "Clinic", "--country", "DE"]
_BO = ["--staff", "bo@clinic.example:analyst,source-admin"]


def _run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


class TestBootstrap:
    def test_makes_controller_and_staff_with_a_password_that_signs_in(self) -> None:
        said = _run("bootstrap", *_CLINIC, *_BO, "--staff", "cleo@clinic.example:dpo")

        found = re.search(r"bo@clinic.example made .*: (\S+)", said)
        bo = User.objects.get(email="bo@clinic.example")
        assert found is not None
        assert bo.check_password(found.group(1))
        assert bo.roles() == {"analyst", "source-admin"}
        assert Controller.objects.get().slug == "clinic"

    def test_run_again_changes_nothing_and_shows_no_password(self) -> None:
        _run("bootstrap", *_CLINIC, *_BO)
        before = User.objects.get().password

        said = _run("bootstrap", *_CLINIC, *_BO)

        assert "password" not in said
        assert User.objects.get().password == before

    def test_adds_who_is_new(self) -> None:
        _run("bootstrap", *_CLINIC, *_BO)

        said = _run("bootstrap", *_CLINIC, *_BO, "--staff", "cleo@clinic.example:dpo")

        assert "bo@clinic.example is already there" in said
        assert "cleo@clinic.example made" in said

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--staff", "bo@clinic.example"], "EMAIL:ROLE"),
            (["--staff", "bo@clinic.example:root"], "Unknown role root"),
            (["--staff", "nobody:dpo"], "not an e-mail address"),
            ([*_BO, "--staff", "BO@clinic.example:dpo"], "named twice"),
            (["--country", "Germany"], "two capital letters"),
        ],
    )
    def test_refuses_with_a_clear_word(self, arguments: list[str], message: str) -> None:
        with pytest.raises(CommandError, match=message):
            _run("bootstrap", *_CLINIC, *arguments)

        assert not User.objects.exists()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--name", "Another"], "another name"),
            (["--staff", "bo@clinic.example:dpo"], "other roles"),
            (["--controller", "insurer", *_BO], "another controller"),
        ],
    )
    def test_refuses_to_change_what_exists(self, arguments: list[str], message: str) -> None:
        _run("bootstrap", *_CLINIC, *_BO)

        with pytest.raises(CommandError, match=message):
            _run("bootstrap", *_CLINIC, *arguments)

        assert Controller.objects.count() == 1
        assert User.objects.get().roles() == {"analyst", "source-admin"}


@pytest.mark.usefixtures("controller")
class TestCreateClient:
    def test_prints_an_id_and_secret_that_get_a_token(self, oauth: OAuth) -> None:
        said = _run(
            "create_client",
            "--controller",
            "clinic",
            "--kind",
            "source",
            "--scope",
            "records:write",
        )

        secret = said.split("client_secret: ")[1].strip()
        program = Program(APIClient.objects.get(), secret)
        assert f"client_id: {program.client.client_id}" in said
        assert oauth.client_credentials(program)["scope"] == "records:write"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--controller", "nobody", "--scope", "records:write"], "no controller"),
            (["--controller", "clinic"], "at least one --scope"),
            (["--controller", "clinic", "--scope", "two words"], "scopes"),
        ],
    )
    def test_refuses_with_a_clear_word(self, arguments: list[str], message: str) -> None:
        with pytest.raises(CommandError, match=message):
            _run("create_client", "--kind", "source", *arguments)

        assert not APIClient.objects.exists()
