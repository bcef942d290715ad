"""Where the demo runs: folder, ports, URLs; and whether those ports are free."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_LAST_PORT: Final = 65_535


class NotPossible(Exception):
    """The demo cannot run here; the text is one line that says what to change."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Everything is on this machine and under one folder."""

    project: Path
    folder: Path
    port: int
    stream_port: int

    @classmethod
    def from_environment(cls) -> Self:
        """Read LETHE_DEMO_DIR, LETHE_DEMO_PORT, LETHE_DEMO_STREAM_PORT. Raises NotPossible."""
        project = Path(__file__).resolve().parents[2]
        port = _port("LETHE_DEMO_PORT", 8000)
        return cls(
            project=project,
            folder=Path(os.environ.get("LETHE_DEMO_DIR", project / ".lethe" / "demo")).resolve(),
            port=port,
            stream_port=_port("LETHE_DEMO_STREAM_PORT", port + 1),
        )

    @property
    def url(self) -> str:
        """The web processes."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def stream_url(self) -> str:
        """The stream processes."""
        return f"http://127.0.0.1:{self.stream_port}"

    def require_free_ports(self) -> None:
        """Raise NotPossible when a port is in use."""
        for name, port in (
            ("LETHE_DEMO_PORT", self.port),
            ("LETHE_DEMO_STREAM_PORT", self.stream_port),
        ):
            if not _is_free(port):
                raise NotPossible(f"Port {port} is in use. Choose another: {name}=<port> make demo")


def free_port() -> int:
    """A port that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _port(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdigit() or not 1 <= int(text) <= _LAST_PORT:
        raise NotPossible(f"{name} must be a port number.")
    return int(text)
