"""Proofs of the golden certificate whose heads are signed by others, too: C2SP signed-note."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

_GOLDEN = json.loads((Path(__file__).parent / "certificate-v1-logged.json").read_bytes())
_PROOF: str = _GOLDEN["log"]["proof"]
_REST, _OWN = _PROOF[: _PROOF.rindex("\u2014")], _PROOF[_PROOF.rindex("\u2014") :]
_, _NAME, _HELD = _OWN.rstrip("\n").split(" ")
_ID = base64.b64decode(_HELD)[:4]


@dataclass(frozen=True)
class Proof:
    """A proof as text; `name` says how its head is signed."""

    name: str
    text: str

    def __str__(self) -> str:
        return self.name


def _line(name: str, content: bytes) -> str:
    return f"\u2014 {name} {base64.b64encode(content).decode()}\n"


#: A cosignature (id, time, signature), one of a post-quantum key's length, and near misses.
_COSIGNED = _line("witness.example/w1", b"wit1" + bytes(8 + 64))
_LONG = _line("witness.example/pq", b"pq44" + bytes(8 + 2420))
_SAME_NAME = _line(_NAME, b"\x00" + _ID[1:] + bytes(64))
_SAME_ID = _line("witness.example/w2", _ID + bytes(64))
_SHORT = _line("witness.example/w3", b"id")
_LOOSE = "\u2014 witness.example/w4 QUJDRB==\n"
_FOREIGN = _line("zeugin.example/\u00fc", b"wit5" + bytes(72))


def good() -> list[Proof]:
    """The log's signature is among the others."""
    others = (_COSIGNED, _LONG, _SAME_NAME, _SAME_ID, _SHORT, _LOOSE, _FOREIGN)
    names = ("cosigned", "long", "same-name", "same-id", "short", "loose", "foreign")
    pairs = list(zip(names, others, strict=True))
    return [
        *(Proof(f"{name}-after", _REST + _OWN + line) for name, line in pairs),
        *(Proof(f"{name}-before", _REST + line + _OWN) for name, line in pairs),
        Proof("sixteen", _REST + _COSIGNED * 15 + _OWN),
    ]


def bad() -> list[Proof]:
    """It is not, or what stands there is no signature line."""
    return [
        Proof("others", _REST + _COSIGNED + _SAME_NAME + _SAME_ID),
        Proof("none", _REST),
        Proof("own-is-false", _REST + _line(_NAME, _ID + bytes(64)) + _OWN),
        Proof("no-line", _REST + _OWN + "witness\n"),
        Proof("no-newline", _REST + _OWN + _COSIGNED.rstrip("\n")),
    ]
