"""Kombu's filesystem transport with whole files only, for trying the product without a broker.

Kombu makes files and fills them afterwards: a worker that reads one in between ends with an error.
Here every file appears under its name when it is complete, taken messages stay in our own folder
(Kombu moves them to the shared temporary one), and bindings are changed under one lock.
"""

import fcntl
import json
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty
from time import monotonic_ns
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from typing_extensions import override

Bindings = list[list[str]]


def register() -> None:
    """Let `filesystem://` mean this transport."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"


class Channel(filesystem.Channel):
    """Messages and bindings as files."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        #: What this channel has bound; told again when the folder was lost.
        self._bound: dict[tuple[str, ...], list[str]] = {}

    @override
    def get_table(self, exchange: str) -> list[Any]:
        return [filesystem.exchange_queue_t(*row) for row in _read(self._bindings(exchange))]

    @override
    def _queue_bind(
        self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None
    ) -> None:
        row = [routing_key or "", pattern or "", queue or ""]
        self._change(exchange, lambda rows: rows if row in rows else [row, *rows])
        self._bound[exchange, *row] = row

    @override
    def _delete(
        self, queue: str, exchange: str, routing_key: str, pattern: str, *_: Any, **__: Any
    ) -> None:
        row = [routing_key or "", pattern or "", queue or ""]
        self._change(exchange, lambda rows: [kept for kept in rows if kept != row])
        self._purge(queue)

    @override
    def _put(  # type: ignore[override]  # the stubs name it one way here and another above
        self, queue: str, payload: Any, **_: Any
    ) -> None:
        name = f"{monotonic_ns():020d}_{uuid.uuid4()}.{queue}.msg"
        _write(Path(self.data_folder_out) / name, payload)

    @override
    def _get(self, queue: str, timeout: float | None = None) -> Any:
        del timeout
        self._mend()
        for message in sorted(Path(self.data_folder_in).iterdir()):
            if message.name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = message.with_name(f"{message.name}.taken-{uuid.uuid4()}")
            with suppress(FileNotFoundError):  # another worker was faster
                message.rename(taken)
                payload = json.loads(taken.read_bytes())
                taken.unlink()
                return payload
        raise Empty

    def _mend(self) -> None:
        """Make folders and bindings anew where somebody has removed them under us."""
        for (exchange, *_), row in list(self._bound.items()):
            if self._bindings(exchange).exists() and Path(self.data_folder_in).is_dir():
                continue
            for folder in (self.data_folder_in, self.control_folder):
                Path(folder).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                Path(folder).mkdir(mode=0o700, exist_ok=True)
            self._queue_bind(exchange, *row)

    def _bindings(self, exchange: str) -> Path:
        if Path(exchange).name != exchange:
            raise ChannelError("An exchange has a name that no file may have.")
        return Path(self.control_folder) / f"{exchange}.exchange"

    def _change(self, exchange: str, change: Callable[[Bindings], Bindings]) -> None:
        file = self._bindings(exchange)
        with _locked(file.with_suffix(".lock")):
            before = _read(file)
            after = change(before)
            if after != before:
                _write(file, after)


class Transport(filesystem.Transport):
    """The transport of `filesystem://`."""

    Channel = Channel


def _read(file: Path) -> Bindings:
    try:
        rows: Bindings = json.loads(file.read_bytes())
    except FileNotFoundError:
        return []
    return rows


def _write(file: Path, value: Any) -> None:
    """Make or replace the file in one step."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".new-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as beside:
        json.dump(value, beside)
    Path(name).rename(file)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
