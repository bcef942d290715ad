"""The Celery application. It carries ids; the effects table is the truth.

JSON only, no result backend, a task is acknowledged after it ran. With the filesystem
transport (for trying the product) messages are files in folders that only we can read.
"""

import os
from pathlib import Path
from typing import Any

from celery import Celery, signals
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings

from config.local import file_transport

#: Seconds; a worker's own wait for messages is shorter.
_ANSWER = 3.0


def build(*, broker_dir: Path) -> Celery:
    """The application, made current; `broker_dir` serves the filesystem transport only."""
    file_transport.register()
    made = Celery("lethe")
    made.conf.update(
        broker_url=settings.LETHE_BROKER_URL,
        broker_transport_options=_transport(broker_dir),
        broker_connection_retry_on_startup=True,
        result_backend=None,
        task_ignore_result=True,
        task_serializer="json",
        event_serializer="json",
        accept_content=["json"],
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_default_queue="default",
        task_create_missing_queues=False,
        task_queues=[Queue(queue) for queue in _queues()],
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        beat_schedule=_schedule(),
        beat_schedule_filename=str(settings.LETHE_STATE_DIR / "beat"),
        enable_utc=True,
        timezone="UTC",
    )
    made.autodiscover_tasks(["core"])
    return made


def _queues() -> list[str]:
    return sorted({queue for _path, queue in settings.LETHE_EFFECTS.values()} | {"default"})


def _transport(broker_dir: Path) -> dict[str, Any]:
    if settings.LETHE_BROKER_URL.startswith(("redis:", "rediss:")):
        # A Redis that accepts and never answers would keep a user's request waiting for ever.
        return {"socket_connect_timeout": _ANSWER, "socket_timeout": _ANSWER}
    if not settings.LETHE_BROKER_URL.startswith("filesystem:"):
        return {}
    folders = {name: broker_dir / name for name in ("messages", "control")}
    for folder in (broker_dir, *folders.values()):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folders["messages"]),
        "data_folder_out": str(folders["messages"]),
        "control_folder": str(folders["control"]),
        "store_processed": False,
    }


def _schedule() -> dict[str, dict[str, Any]]:
    sweeps = {
        f"sweep-{queue}": {
            "task": "core.sweep_queue",
            "schedule": settings.LETHE_SWEEP_EVERY,
            "args": (queue,),
            # A queue without a worker must not find hours of sweeps when one comes back.
            "options": {"queue": queue, "expires": max(5.0, 2 * settings.LETHE_SWEEP_EVERY)},
        }
        for queue in _queues()
    }
    tends = {
        f"tend-{queue}": {
            "task": "core.tend",
            "schedule": settings.LETHE_GATE_EVERY,
            "args": (queue,),
            "options": {"queue": queue, "expires": max(5.0, 2 * settings.LETHE_GATE_EVERY)},
        }
        for queue in settings.LETHE_TENDERS
    }
    purge = {"task": "core.purge", "schedule": 3600.0, "options": {"queue": "default"}}
    return {**sweeps, **tends, "purge": purge}


@signals.setup_logging.connect
def keep_our_logging(**_arguments: Any) -> None:
    """Celery leaves logging alone when this signal has a receiver: ours drops what it must."""


app = build(broker_dir=settings.LETHE_BROKER_DIR)
