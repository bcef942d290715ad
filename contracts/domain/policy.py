"""Which witnesses are asked, and how many of them make a quorum: C2SP tlog-policy.

Lines `log` are for others and not looked at. A witness that is asked has a URL, and an Ed25519 key.
"""

import base64
import binascii
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

#: The byte that says Ed25519 with a time, in a witness's key and its id (C2SP tlog-cosignature).
_COSIGNATURE: Final = b"\x04"
_VKEY: Final = re.compile(r"([^\s+\x00-\x1f\x7f]{1,200})\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)")
_URL: Final = re.compile(r"https?://[!-~]+")
_KEY_BYTES: Final = 33
#: A verifier has to accept sixteen signatures of a note; one is the log's.
MOST_WITNESSES: Final = 15
NOBODY: Final = "none"


@dataclass(frozen=True, slots=True)
class Witness:
    """`label` is its name in the policy, `name` that of its key; `url` is its submission prefix."""

    label: str
    name: str
    public: bytes
    url: str

    @property
    def key_id(self) -> bytes:
        return _id_of(self.name, self.public)


@dataclass(frozen=True, slots=True)
class Group:
    """Met where `least` of its members are."""

    least: int
    members: Sequence[str]


@dataclass(frozen=True, slots=True)
class Policy:
    """The witnesses, and the rule: the name of a witness, of a group, or `none`."""

    witnesses: Sequence[Witness]
    groups: Mapping[str, Group]
    quorum: str

    def is_met(self, labels: Collection[str]) -> bool:
        """Whether cosignatures of these witnesses are enough."""
        return self.quorum == NOBODY or self._is_met(self.quorum, labels)

    def _is_met(self, name: str, labels: Collection[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in labels
        return sum(self._is_met(one, labels) for one in group.members) >= group.least


def parse(text: str) -> Policy:
    """The policy. Raises ValueError, which names the line."""
    reader = _Reader()
    for number, words in _lines(text):
        try:
            reader.take(words)
        except ValueError as error:
            message = f"line {number} of the witness policy: {error}"
            raise ValueError(message) from None
    if reader.quorum is None:
        raise ValueError("the witness policy has no line `quorum`")
    return Policy(list(reader.witnesses.values()), reader.groups, reader.quorum)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        words = [word for word in re.split(r"[ \t]+", line) if word]
        if words and not words[0].startswith("#"):
            yield number, words


class _Reader:
    def __init__(self) -> None:
        self.witnesses: dict[str, Witness] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self._members: set[str] = set()

    def take(self, words: Sequence[str]) -> None:
        keyword, rest = words[0], words[1:]
        if keyword == "witness":
            self._take_witness(rest)
        elif keyword == "group":
            self._take_group(rest)
        elif keyword == "quorum":
            self._take_quorum(rest)
        elif keyword != "log":
            raise ValueError("it begins with none of log, witness, group, quorum")

    def _take_witness(self, words: Sequence[str]) -> None:
        match words:
            case [label, vkey, url]:
                pass
            case _:
                raise ValueError("a witness has a name, a key and a URL")
        self._require_new(label)
        name, public = _read_vkey(vkey)
        if any(one.public == public for one in self.witnesses.values()):
            raise ValueError("another witness has this key")
        if not _URL.fullmatch(url):
            raise ValueError("the URL is none of http or https")
        if len(self.witnesses) == MOST_WITNESSES:
            message = f"there are more than {MOST_WITNESSES} witnesses"
            raise ValueError(message)
        self.witnesses[label] = Witness(label, name, public, url.rstrip("/"))

    def _take_group(self, words: Sequence[str]) -> None:
        match words:
            case [label, threshold, _, *_]:
                members = words[2:]
            case _:
                raise ValueError("a group has a name, a number and members")
        self._require_new(label)
        for one in members:
            self._require_known(one)
            if one in self._members:
                raise ValueError("a name is a member twice")
            self._members.add(one)
        known = {"any": "1", "all": str(len(members))}.get(threshold, threshold)
        if not re.fullmatch("[1-9][0-9]?", known) or int(known) > len(members):
            raise ValueError("the number is not one of 1 up to the number of members")
        self.groups[label] = Group(int(known), members)

    def _take_quorum(self, words: Sequence[str]) -> None:
        if len(words) != 1 or self.quorum is not None:
            raise ValueError("there is one quorum, of one name")
        if words[0] != NOBODY:
            self._require_known(words[0])
        self.quorum = words[0]

    def _require_new(self, label: str) -> None:
        if label == NOBODY or label in self.witnesses or label in self.groups:
            raise ValueError("the name is taken")

    def _require_known(self, label: str) -> None:
        if label not in self.witnesses and label not in self.groups:
            raise ValueError("a name stands for nothing above it")


def _read_vkey(vkey: str) -> tuple[str, bytes]:
    found = _VKEY.fullmatch(vkey)
    try:
        key = b"" if found is None else base64.b64decode(found[3], validate=True)
    except binascii.Error:
        key = b""
    if found is None or len(key) != _KEY_BYTES or key[:1] != _COSIGNATURE:
        raise ValueError("the key is no Ed25519 key for cosignatures (type 4)")
    if _id_of(found[1], key[1:]).hex() != found[2]:
        raise ValueError("the key has another id")
    return found[1], key[1:]


def _id_of(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _COSIGNATURE + public).digest()[:4]
