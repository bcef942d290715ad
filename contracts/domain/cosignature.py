"""Cosignatures of witnesses over checkpoints: C2SP tlog-cosignature, `cosignature/v1`."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from contracts.domain.policy import Witness
from contracts.verifier import ed25519

#: How far a witness's clock and ours may be apart.
SKEW: Final = timedelta(minutes=5)
_LINE: Final = re.compile("— ([^ \n]+) ([A-Za-z0-9+/]+=*)\n")
_ID, _TIME, _SIGNATURE = 4, 8, 64


class NotCosignedError(Exception):
    """`reason` is `garbled`, `key` (no line of this witness), `signature`, or `time`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A verified line, with its newline, and the witness's time in it."""

    line: str
    at: datetime


def request_text(*, old: int, path: Sequence[bytes], note: str) -> bytes:
    """The body of `add-checkpoint` (C2SP tlog-witness)."""
    hashes = "".join(f"{base64.b64encode(one).decode()}\n" for one in path)
    return f"old {old}\n{hashes}\n{note}".encode()


def signed_text(text: str, *, time: int) -> bytes:
    """What a witness signs; `time` in Unix seconds."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def verified(
    answer: bytes, witness: Witness, *, text: str, since: datetime, now: datetime
) -> Cosignature:
    """The witness's cosignature over the checkpoint's `text`, which was signed at `since`.

    Lines of other keys are ignored. Raises NotCosignedError.
    """
    held = _held(answer, witness)
    if held is None:
        raise NotCosignedError("key")
    line, content = held
    seconds = int.from_bytes(content[:_TIME], "big")
    message = signed_text(text, time=seconds)
    if not ed25519.verify(witness.public, message, content[_TIME:]):
        raise NotCosignedError("signature")
    if not (since - SKEW).timestamp() <= seconds <= (now + SKEW).timestamp():
        raise NotCosignedError("time")
    return Cosignature(line, datetime.fromtimestamp(seconds, UTC))


def _held(answer: bytes, witness: Witness) -> tuple[str, bytes] | None:
    """The line of this key, and what it says without the id. Raises NotCosignedError."""
    try:
        lines = answer.decode().splitlines(keepends=True)
    except UnicodeDecodeError:
        raise NotCosignedError("garbled") from None
    for line in lines:
        found = _LINE.fullmatch(line)
        content = None if found is None else _decoded(found[2])
        if found is None or content is None:
            raise NotCosignedError("garbled")
        if found[1] == witness.name and content[:_ID] == witness.key_id:
            if len(content) != _ID + _TIME + _SIGNATURE:
                raise NotCosignedError("garbled")
            return line, content[_ID:]
    return None


def _decoded(text: str) -> bytes | None:
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return content if base64.b64encode(content).decode() == text else None
