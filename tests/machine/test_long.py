"""As many faults as LETHE_FAULTS asks for: `make test-fault-long`."""

import json
import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from pytest_django import Settings

from tests.fakes import rotations
from tests.machine.machine import TownMachine

FAULTS = int(os.environ.get("LETHE_FAULTS", "0"))
#: Where the counts are written, for the report.
COUNTS = os.environ.get("LETHE_FAULT_COUNTS", "")

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.long,
    pytest.mark.timeout(0),
    pytest.mark.skipif(not FAULTS, reason="LETHE_FAULTS says how many; make test-fault-long"),
]


def test_so_many_faults_bring_nothing_back(settings: Settings) -> None:
    settings.LETHE_BACKUPS_ATTESTED = rotations.ATTESTED
    settings.LETHE_BACKUPS_CLEARED = rotations.CLEARED
    started = time.monotonic()

    while TownMachine.raised.total() < FAULTS:
        run_state_machine_as_test(TownMachine, settings=PROFILE)
        counts = dict(TownMachine.counts) | {"faults": TownMachine.raised.total()}
        sys.stdout.write(json.dumps(counts) + "\n")

    if COUNTS:
        found = {
            "faults": dict(sorted(TownMachine.raised.items())),
            "counts": dict(sorted(TownMachine.counts.items())),
            "seconds": round(time.monotonic() - started),
        }
        Path(COUNTS).write_text(json.dumps(found, indent=2) + "\n")


PROFILE = settings(
    max_examples=30,
    stateful_step_count=80,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
