import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.app import app_or_default
from celery.contrib.testing.worker import start_worker
from django.conf import settings as django_settings
from pytest_django import Settings

from core import effects, kicks
from core.effects import Claim, Done
from core.models import Effect, EffectState
from core.unit_of_work import unit_of_work

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
acted = threading.Event()


def handler(_claim: Claim) -> Done:
    return Done(settle=acted.set)


urlpatterns: list[object] = []


@pytest.fixture(autouse=True)
def _former_app() -> Iterator[None]:
    """Making an app, config's own included, makes it current: later tests would kick through it."""
    before = app_or_default()
    yield
    before.set_current()


@pytest.fixture
def broker(tmp_path: Path, settings: Settings) -> Iterator[Celery]:
    from config import celery

    settings.ROOT_URLCONF = __name__  # a worker runs the system checks, which load the URLs
    made = celery.build(broker_dir=tmp_path / "broker")
    made.set_current()
    yield made
    made.close()


@pytest.fixture
def effect(broker: Celery, settings: Settings) -> Effect:
    settings.LETHE_EFFECTS = {"test.act": (f"{__name__}.handler", "default")}
    acted.clear()
    with unit_of_work():
        return effects.enqueue(kind="test.act", key="one", payload={"subject": "s1"}, now=NOON)


def messages(tmp_path: Path) -> list[dict[str, Any]]:
    folder = tmp_path / "broker" / "messages"
    return [json.loads(path.read_bytes()) for path in folder.iterdir()]


@pytest.mark.django_db(transaction=True)
class TestKick:
    def test_writes_only_the_effects_id(self, effect: Effect, tmp_path: Path) -> None:
        (message,) = messages(tmp_path)

        args, kwargs, _embed = json.loads(b64decode(message["body"]))
        assert (args, kwargs) == ([str(effect.id)], {})
        assert message["properties"]["delivery_info"]["routing_key"] == "default"
        assert "s1" not in json.dumps(message)

    @pytest.mark.usefixtures("broker")
    def test_keeps_the_broker_folder_to_ourselves(self, tmp_path: Path) -> None:
        assert (tmp_path / "broker").stat().st_mode & 0o077 == 0

    def test_that_fails_loses_nothing(self, effect: Effect, tmp_path: Path) -> None:
        for path in (tmp_path / "broker" / "messages").iterdir():
            path.unlink()
        (tmp_path / "broker" / "messages").rmdir()

        kicks.kick(effect_id=effect.id, queue="default")

        assert Effect.objects.get().state == EffectState.PENDING

    @pytest.mark.usefixtures("effect")
    def test_leads_a_worker_to_the_effect(self, broker: Celery) -> None:
        with start_worker(broker, pool="solo", perform_ping_check=False, queues=["default"]):
            assert acted.wait(timeout=20)

        assert Effect.objects.get().state == EffectState.DONE


class TestSchedule:
    def test_sweeps_every_queue_of_the_effects_map(self) -> None:
        from config.celery import app

        queues = {queue for _path, queue in django_settings.LETHE_EFFECTS.values()} | {"default"}

        swept = {
            entry["args"][0]: entry["options"]["queue"]
            for entry in app.conf.beat_schedule.values()
            if entry["task"] == "core.sweep_queue"
        }
        assert swept == {queue: queue for queue in queues}
        assert all(entry["task"] in app.tasks for entry in app.conf.beat_schedule.values())

    def test_takes_json_only_and_keeps_no_results(self) -> None:
        from config.celery import app

        conf: Any = app.conf
        assert conf.accept_content == ["json"]
        assert conf.result_backend is None
        assert conf.task_acks_late
