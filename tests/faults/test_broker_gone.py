"""The broker is gone: the table of effects is the truth, so only time is lost."""

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from celery import Celery
from celery.app import app_or_default
from pytest_django import Settings

from core import effects
from core.models import Effect, EffectState
from tests.faults.processes import Processes
from tests.faults.waiting import until
from tests.functional.api.cast import Study, version_body
from tests.functional.api.test_requests import released
from tests.servers.vaultd import VaultServer
from vault.models import Shredding

pytestmark = [pytest.mark.vault, pytest.mark.fault, pytest.mark.long]

_SHORT: Final = "0.5"
_QUICK: Final = {"LETHE_SWEEP_EVERY": _SHORT, "LETHE_GATE_EVERY": _SHORT}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Celery]:
    """This process tells workers about effects, as web processes do."""
    before = app_or_default()
    from config import celery

    made = celery.build(broker_dir=tmp_path / "broker")
    made.set_current()
    yield made
    made.close()
    before.set_current()


def activate_again(study: Study) -> Any:
    """An act whose effect is due at once, so that a worker is told."""
    analyst = study.cast.clinic.person("analyst", "al")
    analyst.post(f"/purposes/{study.purpose}/versions", version_body())
    officer = study.cast.clinic.person("compliance-officer")
    return officer.post(f"/purposes/{study.purpose}/activations", {"version": 2})


def sweep(study: Study) -> None:
    """As workers do every LETHE_SWEEP_EVERY seconds, told or not."""
    study.cast.run()


class TestKick:
    def test_without_the_broker_s_folder_costs_waiting_only(
        self, study: Study, app: Celery, tmp_path: Path
    ) -> None:
        subject = study.patient("ada")
        shutil.rmtree(tmp_path / "broker")

        released(study.cast, subject)
        assert Effect.objects.get(kind="vault.shred").state == EffectState.PENDING
        sweep(study)

        assert Shredding.objects.get().state == "verified"
        assert app.main == "lethe"

    @pytest.mark.parametrize("port", ["closed", "mute"])
    def test_does_not_keep_a_user_waiting_for_a_redis_that_is_down(
        self, study: Study, settings: Settings, tmp_path: Path, port: str
    ) -> None:
        from config import celery

        before = app_or_default()
        with socket.create_server(("127.0.0.1", 0)) as mute:
            settings.LETHE_BROKER_URL = f"redis://127.0.0.1:{mute.getsockname()[1]}/0"
            if port == "closed":
                mute.close()
            made = celery.build(broker_dir=tmp_path / "unused")
            made.set_current()
            try:
                started_at = time.monotonic()
                answer = activate_again(study)
                took = time.monotonic() - started_at
            finally:
                made.close()
                before.set_current()

        assert answer.status_code == 201
        assert took < 25
        effect = Effect.objects.get(kind="governance.activate-purpose", state="pending")
        effects.sweep(queue="default", now=study.cast.world.now)
        effect.refresh_from_db()
        assert effect.state == EffectState.DONE


class TestWorkers:
    def test_go_on_after_their_messages_and_bindings_were_removed(
        self, study: Study, vault_server: VaultServer, tmp_path: Path
    ) -> None:
        study.cast.world.journal.close()  # its writer is the eraser's process
        ada, bea = study.patient("ada"), study.patient("bea")
        processes = Processes(vault_server, tmp_path)
        broker = tmp_path / "broker"
        (tmp_path / "state").mkdir()
        more = _QUICK | {"LETHE_BROKER_DIR": str(broker)}
        with ExitStack() as stack:
            running = {
                name: stack.enter_context(processes.running(process, *command, **more))
                for name, (process, *command) in workers().items()
            }
            released(study.cast, ada)
            study.cast.world.later(minutes=5)
            until(lambda: verified() == 1, "the first erasure")

            broker.rename(tmp_path / "gone")  # at once: they go on writing while it is deleted
            shutil.rmtree(tmp_path / "gone", ignore_errors=True)
            released(study.cast, bea)
            study.cast.world.later(minutes=5)
            until(lambda: verified() == 2, "the second erasure")
            for name, process in running.items():
                assert process.is_alive, f"{name} has ended: {process.said()}"


def verified() -> int:
    return Shredding.objects.filter(state="verified").count()


def workers() -> dict[str, tuple[str, ...]]:
    """Process and command of each, as the demo starts them."""
    celery = ("-m", "celery", "--app=config.celery", "--quiet")
    worker = (*celery, "worker", "--pool=solo", "--loglevel=WARNING", "--without-gossip",
              "--without-mingle", "--without-heartbeat")  # fmt: skip
    return {
        "eraser": ("eraser", *worker, "--queues=shred", "--hostname=eraser@%h"),
        "attester": ("attester", *worker, "--queues=attest", "--hostname=attester@%h"),
        "beat": ("web", *celery, "beat", "--loglevel=WARNING", "--pidfile="),
    }
