"""A few hundred steps of the state machine, on a real PostgreSQL."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from pytest_django import Settings

from tests.fakes import rotations
from tests.machine.machine import TownMachine

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]


def test_nothing_brings_back_what_was_erased(settings: Settings) -> None:
    settings.LETHE_BACKUPS_ATTESTED = rotations.ATTESTED
    settings.LETHE_BACKUPS_CLEARED = rotations.CLEARED

    run_state_machine_as_test(TownMachine, settings=PROFILE)


PROFILE = settings(
    max_examples=12,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
