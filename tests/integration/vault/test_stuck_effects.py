from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.services import staff
from core import clock
from core.actors import process_actor
from core.models import AuditEvent, Effect, EffectState

pytestmark = pytest.mark.django_db(transaction=True)
OPERATOR = "una@clinic.example"


@pytest.fixture(autouse=True)
def _operator(transactional_db: None) -> None:
    staff.create(
        email=OPERATOR, password=None, roles=["operator"], controller_id=None,
        actor=process_actor("command"), now=clock.now(),
    )  # fmt: skip


def stuck() -> Effect:
    now = clock.now()
    return Effect.objects.create(
        kind="vault.shred", key="1", queue="shred", state=EffectState.NEEDS_OPERATOR,
        failures=1, last_error="key-still-alive", due_at=now, created_at=now,
    )  # fmt: skip


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("stuck_effects", *arguments, stdout=out)
    return out.getvalue()


class TestStuckEffects:
    def test_lists_them_and_changes_nothing(self) -> None:
        effect = stuck()

        assert f"{effect.id}  vault.shred  key-still-alive" in said()
        assert Effect.objects.get().state == EffectState.NEEDS_OPERATOR

    def test_puts_one_back_in_an_operators_name(self) -> None:
        effect = stuck()

        assert "1 effects were put back" in said(f"--resume={effect.id}", f"--operator={OPERATOR}")

        assert Effect.objects.get().state == EffectState.PENDING
        assert AuditEvent.objects.get(action="core.effect.resumed").actor_id.startswith("psn_")

    def test_puts_all_back(self) -> None:
        stuck()

        said("--all", f"--operator={OPERATOR}")

        assert Effect.objects.get().state == EffectState.PENDING

    def test_refuses_whoever_is_no_operator(self) -> None:
        stuck()

        with pytest.raises(CommandError, match="role operator"):
            said("--all", "--operator=nobody@clinic.example")
        assert Effect.objects.get().state == EffectState.NEEDS_OPERATOR

    def test_refuses_one_that_is_not_stuck(self) -> None:
        effect = stuck()
        said("--all", f"--operator={OPERATOR}")

        with pytest.raises(CommandError, match="effect-not-stuck"):
            said(f"--resume={effect.id}", f"--operator={OPERATOR}")
