"""The log part of a document: an event that names it, and the proof that the log has that event.

Formats: `docs/formats/log.md` and `commitment.md`. Nothing here trusts its input.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any, Dict, List, Optional, Tuple

from contracts.verifier import ed25519, merkle, strict_json

HOLDER = "loggerd"
_TAG = b"audit.v1"
_ED25519 = b"\x01"
_PROOF = re.compile(
    r"c2sp\.org/tlog-proof@v1\nindex (0|[1-9][0-9]{0,17})\n((?:[A-Za-z0-9+/]{43}=\n){0,63})\n(.*)",
    re.DOTALL,
)
_NOTE = re.compile(
    r"((?P<origin>[!-~]{1,200})\n(?P<size>0|[1-9][0-9]{0,17})\n(?P<root>[A-Za-z0-9+/]{43}=)\n)\n"
    r"(?P<lines>(?:\u2014 [^ \n]+ [A-Za-z0-9+/]+=*\n){1,16})"
)
_ID_BYTES = 4


class Entry:
    """Where the log has the event, by the head that says so: `index` of `size`, in `origin`."""

    def __init__(self, index: int, path: List[bytes], note: Any) -> None:
        self.index, self.path = index, path
        self.origin: str = note["origin"]
        self.size = int(note["size"])
        self.root: bytes = decoded(note["root"]) or b""
        self.text: str = note.group(1)
        self.note: str = note.group(0)
        self.lines: str = note["lines"]


def commitment(event: Any, r: bytes) -> bytes:
    """The entry that commits to an event under the random bytes `r`."""
    payload = hashlib.sha256(strict_json.write(event)).digest()
    return hashlib.sha256(b"\x00" + _TAG + r + payload).digest()


def parse(proof: str) -> Optional[Entry]:
    """What a tlog-proof with its checkpoint says; None for any other text."""
    found = _PROOF.fullmatch(proof)
    note = None if found is None else _NOTE.fullmatch(found.group(3))
    if found is None or note is None or "+" in note["origin"]:
        return None
    hashes = [decoded(line) for line in found.group(2).split("\n")[:-1]]
    path = [one for one in hashes if one is not None]
    if len(path) < len(hashes) or decoded(note["root"]) is None:
        return None
    return Entry(int(found.group(1)), path, note)


def inclusion_problems(entry: Entry, leaf: bytes) -> List[str]:
    """Why the entry is not shown to be in the tree of the head."""
    root = merkle.root_from_inclusion(
        merkle.leaf_hash(leaf), index=entry.index, size=entry.size, path=entry.path
    )
    return [] if root == entry.root else ["the path does not lead from the event to the head"]


def signature_problems(
    entry: Entry, keys: Dict[str, Any]
) -> Tuple[List[str], Optional[Tuple[str, str, str]]]:
    """Why no key of the log signed the head; else the key that did, as (id, holder, public)."""
    for key_id, key in sorted(keys.items()):
        if key["holder"] != HOLDER:
            continue
        value = _signature(entry, bytes.fromhex(key["public"]))
        if value is None:
            continue
        if not ed25519.verify(bytes.fromhex(key["public"]), entry.text.encode("utf-8"), value):
            return ["the signature of the log's head does not verify"], None
        if key["revoked_at"] is not None:
            return ["the key of the log's head was revoked"], None
        return [], (key_id, HOLDER, key["public"])
    return ["the log's head is signed by no key of the log in the keys document"], None


def _signature(entry: Entry, public: bytes) -> Optional[bytes]:
    """What the head says that this key signed; other lines are for others."""
    name = entry.origin.encode("utf-8")
    key_id = hashlib.sha256(name + b"\n" + _ED25519 + public).digest()[:_ID_BYTES]
    for line in entry.lines.split("\n")[:-1]:
        _, name_of_key, text = line.split(" ")
        held = decoded(text)
        if held is not None and name_of_key == entry.origin and held[:_ID_BYTES] == key_id:
            return held[_ID_BYTES:]
    return None


def decoded(text: str) -> Optional[bytes]:
    """Bytes of standard base 64 in its one canonical spelling, else None."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if base64.b64encode(content).decode("ascii") == text else None
