"""A real Vault that is sealed for longer than the gate's lease, and what operators are told."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from config.local.vaultd import Vaultd
from core import clock
from core.models import Effect
from tests.faults.conftest import real_cast
from tests.functional.api.cast import Cast, Study
from tests.functional.api.test_requests import released
from tests.servers.vaultd import VaultServer, program, started
from vault.domain.gate import Reason
from vault.models import GateLease, Shredding
from vault.services import gatekeeper

pytestmark = [pytest.mark.vault, pytest.mark.fault, pytest.mark.long]


@pytest.fixture(scope="module")
def own() -> Iterator[VaultServer]:
    with Vaultd(program()) as process:
        yield started(process)


@pytest.fixture
def cast(
    transactional_db: None, settings: Settings, tmp_path: Path, own: VaultServer
) -> Iterator[Cast]:
    settings.STATIC_ROOT = str(tmp_path)
    settings.LETHE_PROCESS = "web"
    with real_cast(tmp_path, own) as made:
        yield made
        assert own.process is not None
        assert own.keys is not None
        own.process.unseal(own.keys)


def readyz() -> tuple[int, Any]:
    answer = Client().get("/readyz")
    return answer.status_code, answer.json()


class TestSealed:
    def test_is_said_and_ends_without_hands_once_it_is_unsealed(
        self, study: Study, own: VaultServer
    ) -> None:
        cast, process, keys = study.cast, own.process, own.keys
        assert process is not None
        assert keys is not None
        subject = study.patient("ada")
        released(cast, study.patient("bea"))
        assert gatekeeper.tend(now=cast.world.now) is Reason.IN_STEP
        assert readyz()[0] == 200

        process.seal(own.root)
        assert gatekeeper.tend(now=cast.world.now) is None
        status, said = readyz()
        assert (status, said["failed"]) == (503, ["the key store answers this process"])
        assert said["gate"]["open"]
        assert said["gate"]["trouble"] == "key-store-unavailable"
        cast.run()
        assert Shredding.objects.get().state == "ordered"

        GateLease.objects.update(until=clock.wall() - timedelta(seconds=1))  # 15 minutes later
        assert gatekeeper.tend(now=cast.world.now) is None
        assert readyz()[1]["gate"]["reason"] == "lease-expired"
        refused = cast.clinic.source().get(f"/subjects/{subject}/records")
        assert (refused.status_code, refused.json()["code"]) == (503, "restore-replay-required")
        assert study.consent(subject, "withdrawn").status_code == 201

        process.unseal(keys)
        assert gatekeeper.tend(now=cast.world.now) is Reason.IN_STEP
        status, said = readyz()
        assert (status, said["gate"]["trouble"]) == (200, "")
        cast.run()
        assert Shredding.objects.get().state == "verified"
        assert not Effect.objects.exclude(failures=0).exists()
