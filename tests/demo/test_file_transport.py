import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from config.local import file_transport

QUEUES = [f"queue-{number}" for number in range(40)]
STOP = -1


@contextmanager
def _open(folder: str) -> Iterator[Any]:
    """A channel of the transport."""
    file_transport.register()
    for name in ("messages", "control"):
        (Path(folder) / name).mkdir(exist_ok=True)
    messages = str(Path(folder) / "messages")
    options = {
        "data_folder_in": messages,
        "data_folder_out": messages,
        "control_folder": str(Path(folder) / "control"),
    }
    with Connection("filesystem://", transport_options=options) as connection:
        yield connection.default_channel


def _bind(folder: str, queue: str) -> None:
    with _open(folder) as channel:
        channel._queue_bind("lethe", queue, "", queue)


def _take_all(folder: str) -> list[int]:
    """Take, with other processes, until a message says that it was the last."""
    taken: list[int] = []
    with _open(folder) as channel:
        while True:
            try:
                number = channel._get("shred")["number"]
            except Empty:
                continue
            if number == STOP:
                return taken
            taken.append(number)


@pytest.fixture
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(4) as made:
        yield made


class TestChannel:
    def test_loses_no_binding_when_processes_start_together(
        self, tmp_path: Path, pool: ProcessPoolExecutor
    ) -> None:
        list(pool.map(_bind, [str(tmp_path)] * len(QUEUES), QUEUES))

        with _open(str(tmp_path)) as channel:
            table = channel.get_table("lethe")
        assert sorted(row.queue for row in table) == sorted(QUEUES)

    def test_gives_each_message_to_one_reader_and_whole(
        self, tmp_path: Path, pool: ProcessPoolExecutor
    ) -> None:
        readers = [pool.submit(_take_all, str(tmp_path)) for _ in range(3)]
        with _open(str(tmp_path)) as channel:
            for number in [*range(300), STOP, STOP, STOP]:
                channel._put("shred", {"number": number, "fill": "x" * 9999})

        taken = [number for reader in readers for number in reader.result()]
        assert sorted(taken) == list(range(300))
        assert not list((tmp_path / "messages").iterdir())

    def test_leaves_other_queues_alone(self, tmp_path: Path) -> None:
        with _open(str(tmp_path)) as channel:
            channel._put("attest", {"number": 1})
            with pytest.raises(Empty):
                channel._get("shred")

        (file,) = (tmp_path / "messages").iterdir()
        assert json.loads(file.read_text()) == {"number": 1}
