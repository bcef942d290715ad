"""A log's head as a signed note (C2SP tlog-checkpoint and signed-note), and proofs that carry one.

Formats: `docs/formats/log.md`.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

#: The byte that says Ed25519 in a key's id.
_ED25519: Final = b"\x01"
_PROOF: Final = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Head:
    """A tree of `size` entries and its root; `origin` names the log."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The note's text: what is signed."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


def check_origin(origin: str) -> None:
    """Raise ValueError for a name that no key may have: empty, or with spaces, plus or controls."""
    if not origin or "+" in origin or not origin.isprintable() or any(map(str.isspace, origin)):
        raise ValueError("a log's origin has neither spaces nor a plus, such as acme.example/log")


def key_id(name: str, public: bytes) -> bytes:
    """Four bytes that tell keys of one name apart; no protection against forgery."""
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def verifier_key(name: str, public: bytes) -> str:
    """The key as C2SP signed-note writes it (`vkey`), for monitors and witnesses."""
    return f"{name}+{key_id(name, public).hex()}+{_base64(_ED25519 + public)}"


def signature_line(name: str, public: bytes, signature: bytes) -> str:
    """The line of one signature, with its newline."""
    return f"— {name} {_base64(key_id(name, public) + signature)}\n"


def note(text: str, lines: Sequence[str]) -> str:
    """A signed note: the text, an empty line, and the signatures."""
    return text + "\n" + "".join(lines)


def signature_in(content: str, *, text: str, name: str, public: bytes) -> bytes | None:
    """The signature that this key is said to have made on this very text; None without one.

    It is not verified here.
    """
    if not content.startswith(text + "\n"):
        return None
    begins = f"— {name} "
    for line in content[len(text) + 1 :].splitlines():
        try:
            held = base64.b64decode(line.removeprefix(begins), validate=True)
        except binascii.Error:
            continue
        if line.startswith(begins) and held[:4] == key_id(name, public):
            return held[4:]
    return None


def proof_text(*, index: int, path: Sequence[bytes], checkpoint: str) -> str:
    """A proof that stands by itself: `c2sp.org/tlog-proof@v1`."""
    hashes = "".join(f"{_base64(one)}\n" for one in path)
    return f"{_PROOF}\nindex {index}\n{hashes}\n{checkpoint}"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
