"""A TCP proxy between us and a server, which is slow, mute or gone when a test says so.

It carries any protocol: bytes are passed on as they come. A fault applies to a request whose bytes
contain its `matching`, and to the answer of that request on the same connection.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit

_CHUNK: Final = 1 << 16
_PATIENCE: Final = 30.0


@dataclass(eq=False)
class Fault:
    """What goes wrong; see the fields. One that is over is passed on as if it were none."""

    #: Only requests with these bytes in them; every request when empty.
    matching: bytes = b""
    #: Seconds by which each answer comes later.
    delay: float = 0.0
    #: The server's answer is kept back until `release`.
    hold_answer: bool = False
    #: The request itself is kept back until `release`, and delivered then.
    hold_request: bool = False
    #: After so many bytes of the answer both ends are cut off.
    cut_after: int | None = None
    #: The request is not passed on, and both ends are cut off.
    cut_request: bool = False
    #: So many matching requests are let through first.
    skip: int = 0
    #: So many requests meet the fault; all when None.
    times: int | None = None
    caught: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    delivered: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        """Let go of everything that is kept back."""
        self.released.set()

    def wait(self) -> None:
        """Until the fault has met its first request."""
        assert self.caught.wait(_PATIENCE), "no request met the fault"

    def wait_for_delivery(self) -> None:
        """Until what was kept back has reached its receiver, or the receiver was gone."""
        assert self.delivered.wait(_PATIENCE), "nothing was delivered"


class Proxy:
    """Listens on a port of its own and passes on to `target`, which may change."""

    def __init__(self, target: str) -> None:
        """`target` is an http URL or `host:port`."""
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._fault: Fault | None = None
        self._lock = threading.Lock()
        self._connections: set[_Connection] = set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[Fault]:
        """Every matching request meets it, for the length of the block; then it is released."""
        self._fault = fault
        try:
            yield fault
        finally:
            self._fault = None
            fault.release()

    def drop(self) -> None:
        """Cut every connection that is open."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.close()

    def meet(self, request: bytes) -> Fault | None:
        """The fault that this request meets; each counts."""
        with self._lock:
            fault = self._fault
            if fault is None or fault.matching not in request or fault.times == 0:
                return None
            if fault.skip:
                fault.skip -= 1
                return None
            if fault.times is not None:
                fault.times -= 1
        return fault

    def forget(self, connection: "_Connection") -> None:
        with self._lock:
            self._connections.discard(connection)

    def _listen(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(_place(self.target), timeout=_PATIENCE)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            connection = _Connection(self, near, far)
            with self._lock:
                self._connections.add(connection)
            connection.start()


class _Connection:
    """One client's connection and ours to the server behind it."""

    def __init__(self, proxy: Proxy, near: socket.socket, far: socket.socket) -> None:
        self._proxy, self._near, self._far = proxy, near, far
        self._met: Fault | None = None
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        for pump in (self._requests, self._answers):
            threading.Thread(target=self._run, args=(pump,), daemon=True).start()

    def close(self) -> None:
        for end in (self._near, self._far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._proxy.forget(self)

    def _run(self, pump: object) -> None:
        assert callable(pump)
        with contextlib.suppress(OSError):
            pump()
        self.close()

    def _requests(self) -> None:
        while request := self._near.recv(_CHUNK):
            self._met = fault = self._proxy.meet(request)
            if fault is None or not (fault.hold_request or fault.cut_request):
                self._far.sendall(request)
                continue
            fault.caught.set()
            if fault.cut_request:
                return
            fault.released.wait()
            self._far.sendall(request)
            fault.wait_for_delivery()  # the sender may be gone: the server answers all the same

    def _answers(self) -> None:
        while answer := self._far.recv(_CHUNK):
            fault = self._met
            if fault is None:
                self._near.sendall(answer)
                continue
            fault.caught.set()
            if fault.delay:
                fault.released.wait(fault.delay)
            if fault.hold_answer:
                fault.released.wait()
            if fault.cut_after is not None:
                self._near.sendall(answer[: fault.cut_after])
                return
            fault.delivered.set()
            self._near.sendall(answer)


def _place(target: str) -> tuple[str, int]:
    parts = urlsplit(target if "//" in target else f"//{target}")
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port
