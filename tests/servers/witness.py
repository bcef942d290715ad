"""A small C2SP witness, written from its text alone: it checks consistency with code of its own."""

import base64
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from core import clock
from tests.servers import outside

Reply = tuple[int, Iterable[bytes]]


class Witness:
    """Remembers the last head of each origin; `log_keys` are the public keys that it trusts."""

    def __init__(self, name: str, *, log_keys: Iterable[bytes]) -> None:
        self.name, self.log_keys = name, list(log_keys)
        self.key = Ed25519PrivateKey.from_private_bytes(os.urandom(32))
        self.heads: dict[str, tuple[int, bytes]] = {}
        self.url = ""

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    @property
    def vkey(self) -> str:
        material = b"\x04" + self.public
        return f"{self.name}+{self._id().hex()}+{base64.b64encode(material).decode()}"

    def behave(self, body: bytes) -> Reply:
        """`add-checkpoint`."""
        head, _, note = body.decode().partition("\n\n")
        text = note.partition("\n\n")[0] + "\n"
        old_line, *proof_lines = head.split("\n")
        assert old_line.startswith("old ")
        old, proof = int(old_line[4:]), [base64.b64decode(line) for line in proof_lines]
        origin, size_line, root_line = text.split("\n")[:3]
        size, root = int(size_line), base64.b64decode(root_line)
        if not self._is_the_logs(note, text, origin):
            return 403, []
        known, known_root = self.heads.get(origin, (0, sha256().digest()))
        if old > size:
            return 400, []
        if old != known or (old == size and root != known_root):
            return 409, [f"{known}\n".encode()]
        if not is_grown(known_root, root, old=old, new=size, proof=proof):
            return 422, []
        self.heads[origin] = (size, root)
        return 200, [self.line(text).encode()]

    def line(self, text: str, *, at: int | None = None) -> str:
        """A cosignature over a checkpoint's text, now or at a time in Unix seconds."""
        seconds = int(clock.now().timestamp()) if at is None else at
        signature = self.key.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
        content = self._id() + struct.pack(">Q", seconds) + signature
        return f"\u2014 {self.name} {base64.b64encode(content).decode()}\n"

    def _id(self) -> bytes:
        return sha256(self.name.encode() + b"\n\x04" + self.public).digest()[:4]

    def _is_the_logs(self, note: str, text: str, origin: str) -> bool:
        for line in note.removeprefix(text + "\n").split("\n")[:-1]:
            _, name, content = line.split(" ")
            signature = base64.b64decode(content)[4:]
            for public in self.log_keys if name == origin else []:
                try:
                    Ed25519PublicKey.from_public_bytes(public).verify(signature, text.encode())
                except InvalidSignature:
                    continue
                return True
        return False


def is_grown(old_root: bytes, root: bytes, *, old: int, new: int, proof: list[bytes]) -> bool:
    """RFC 6962, section 2.1.2, followed from the top down as the proof is defined."""
    if old == 0:
        return not proof
    rest = list(proof)
    try:
        roots = _roots(old, new, rest, known=old_root)
    except IndexError:
        return False
    return roots == (old_root, root) and not rest


def _roots(old: int, new: int, rest: list[bytes], *, known: bytes | None) -> tuple[bytes, bytes]:
    """Of the first `old` leaves of a subtree of `new`, and of all; eats what it needs of `rest`."""
    if old == new:
        found = rest.pop(0) if known is None else known
        return found, found
    left = 1
    while left * 2 < new:
        left *= 2
    if old <= left:
        before, after = _roots(old, left, rest, known=known)
        return before, _node(after, rest.pop(0))
    before, after = _roots(old - left, new - left, rest, known=None)
    first = rest.pop(0)
    return _node(first, before), _node(first, after)


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


@contextmanager
def running(witness: Witness) -> Iterator[outside.Answers]:
    """Serve it on loopback for the length of the block."""
    with outside.serving(witness.behave) as answers:
        answers.headers = {"Content-Type": "text/x.tlog.size"}
        witness.url = answers.url
        yield answers
