"""One HTTP request to somebody outside: short, bounded in time and size, and believed in nothing.

Redirects are not followed. The whole exchange, name resolution included, has one deadline, so that
an answer that trickles ends as well as one that never comes.
"""

import ssl
from dataclasses import dataclass, field
from typing import Final

import pycurl

from core.unit_of_work import no_open_transaction

#: A token with its certificates has some KiB, cosignatures fewer.
MOST_BYTES: Final = 64 << 10


class NoAnswerError(Exception):
    """None came, or not to its end. `reason` says why: `timeout`, `too-large`, `connection`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """Its status, and at most MOST_BYTES of body."""

    status: int
    body: bytes = field(repr=False)


class _Body:
    """Takes what arrives until it is too much."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.is_too_large = False

    def write(self, chunk: bytes) -> int:
        if len(self.content) + len(chunk) > MOST_BYTES:
            self.is_too_large = True
            return 0  # which ends the transfer
        self.content += chunk
        return len(chunk)


@no_open_transaction
def post(url: str, body: bytes, *, content_type: str, timeout: float) -> Answer:
    """Send `body` and return the answer of any status within `timeout` seconds.

    Raises NoAnswerError.
    """
    received, handle = _Body(), pycurl.Curl()
    try:
        _prepare(handle, url, body, content_type, timeout)
        handle.setopt(pycurl.WRITEFUNCTION, received.write)
        handle.perform()
        return Answer(handle.getinfo(pycurl.RESPONSE_CODE), bytes(received.content))
    except pycurl.error as error:
        if received.is_too_large:
            raise NoAnswerError("too-large") from None
        is_late = error.args[0] == pycurl.E_OPERATION_TIMEDOUT
        raise NoAnswerError("timeout" if is_late else "connection") from None
    finally:
        handle.close()


def _prepare(handle: pycurl.Curl, url: str, body: bytes, content_type: str, timeout: float) -> None:
    handle.setopt(pycurl.URL, url)
    handle.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    handle.setopt(pycurl.POSTFIELDS, body)
    handle.setopt(pycurl.HTTPHEADER, [f"Content-Type: {content_type}", "Expect:"])
    handle.setopt(pycurl.FOLLOWLOCATION, 0)
    handle.setopt(pycurl.NOSIGNAL, 1)
    handle.setopt(pycurl.TIMEOUT_MS, max(1, int(timeout * 1000)))
    cafile = ssl.get_default_verify_paths().cafile
    if cafile is not None:
        handle.setopt(pycurl.CAINFO, cafile)
