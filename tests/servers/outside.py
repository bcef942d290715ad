"""An HTTP server on loopback that stands for somebody outside, and behaves as a test says."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: What a server does with the body of a request: status, and the pieces of its answer.
Behaviour = Callable[[bytes], tuple[int, Iterable[bytes]]]


class Answers:
    """An HTTP server whose behaviour a test sets; `asked` are the bodies that it was sent."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.asked: list[bytes] = []
        self.paths: list[str] = []
        self.released = threading.Event()
        self.headers: dict[str, str] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def never(self, _body: bytes) -> tuple[int, Iterable[bytes]]:
        """A behaviour: no answer until the server is taken down."""
        self.released.wait()
        return 200, []

    def trickle(self, _body: bytes) -> tuple[int, Iterable[bytes]]:
        """A behaviour: a byte now and then, for ever."""

        def pieces() -> Iterator[bytes]:
            while not self.released.wait(0.02):
                yield b"\x30"

        return 200, pieces()

    @staticmethod
    def endless(_body: bytes) -> tuple[int, Iterable[bytes]]:
        """A behaviour: more and more, as fast as it is taken."""
        return 200, iter(lambda: bytes(4096), None)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answers = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answers.asked.append(body)
                answers.paths.append(self.path)
                status, pieces = answers.behaviour(body)
                with suppress(OSError):
                    self.send_response(status)
                    for name, value in answers.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    for piece in pieces:
                        self.wfile.write(piece)

            def log_message(self, *_: object) -> None:
                """Nothing is said."""

        return Handler


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[Answers]:
    """A server for the length of the block."""
    answers = Answers(behaviour)
    thread = threading.Thread(target=answers.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield answers
    finally:
        answers.released.set()
        answers.server.shutdown()
        answers.server.server_close()
        thread.join()
