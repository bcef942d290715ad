"""Entries of the erasure journal: kinds, shapes and the hash chain (`docs/formats/journal.md`).

Pure. An entry holds no identity: its members are opaque ids, digests, codes, counts and instants,
and nothing else passes `check_body`.
"""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from core import canonical

MAX_KIDS: Final = 1000
NO_HASH: Final = bytes(32)
_DOMAIN: Final = b"lethe-journal-v1\x00"

Check = Callable[[object], bool]


class EntryKind(StrEnum):
    """What a restore must not undo."""

    GENESIS = "genesis"
    DESTRUCTION = "destruction"
    REVOCATION = "revocation"
    RESTRICTION = "restriction"
    RESTRICTION_LIFTED = "restriction-lifted"
    LOCK = "lock"
    LOCK_LIFTED = "lock-lifted"
    REKEY = "rekey"


class InvalidEntryError(ValueError):
    """Bytes of a journal that are not the entry expected at this place."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; `previous` is the hash of the one before, 32 zero bytes for the genesis."""

    journal_id: uuid.UUID
    sequence: int
    previous: bytes
    kind: EntryKind
    at: datetime
    body: Mapping[str, Any]

    def content(self) -> dict[str, Any]:
        """What is hashed."""
        return {
            "journal_id": str(self.journal_id),
            "sequence": self.sequence,
            "previous": self.previous.hex(),
            "kind": self.kind.value,
            "at": canonical.instant(self.at),
            "body": dict(self.body),
        }

    def hash(self) -> bytes:
        """The head of the chain once this entry is its last."""
        return sha256(_DOMAIN + canonical.encode(self.content())).digest()

    def line(self) -> bytes:
        """The entry as it is stored: one canonical line with its own hash."""
        return canonical.encode({**self.content(), "hash": self.hash().hex()}) + b"\n"


def parse(line: bytes) -> Entry:
    """Read one stored line. Raises InvalidEntryError unless it is exactly what `line()` writes."""
    try:
        read = json.loads(line)
        entry = Entry(
            journal_id=uuid.UUID(read["journal_id"]),
            sequence=read["sequence"],
            previous=bytes.fromhex(read["previous"]),
            kind=EntryKind(read["kind"]),
            at=canonical.parse_instant(read["at"]),
            body=read["body"],
        )
        is_exact = entry.line() == line
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidEntryError("the line is not a journal entry") from None
    if not is_exact:
        raise InvalidEntryError("the entry does not match its hash")
    return entry


def check_follows(entry: Entry, before: Entry | None) -> None:
    """Raise InvalidEntryError unless `entry` may follow `before` (None: at the start)."""
    if before is None:
        genesis = entry.kind is EntryKind.GENESIS
        if not genesis or entry.sequence != 0 or entry.previous != NO_HASH:
            raise InvalidEntryError("the journal does not start with a genesis entry")
    elif (
        entry.kind is EntryKind.GENESIS
        or entry.journal_id != before.journal_id
        or entry.sequence != before.sequence + 1
        or entry.previous != before.hash()
    ):
        raise InvalidEntryError("the entry does not follow the one before it")


def _matches(pattern: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _list_of(check: Check, *, least: int, most: int) -> Check:
    return lambda value: (
        isinstance(value, list)
        and least <= len(value) <= most
        and all(check(item) for item in value)
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_instant(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(canonical.parse_instant(value))
    except ValueError:
        return False


_id = _matches("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_kid = _matches("[0-9a-f]{32}")
_tag = _matches("[0-9a-f]{64}")
_code = _matches("[a-z][a-z0-9]*(-[a-z0-9]+)*")
_scope = _matches("subject|category|purpose|controller")

_PAIR: Final[Mapping[str, Check]] = {
    "controller_id": _id,
    "subject_id": _id,
    "decided_at": _is_instant,
}
_LOCK: Final[Mapping[str, Check]] = {"controller_id": _id, "lock_id": _id}
_REQUIRED: Final[Mapping[EntryKind, Mapping[str, Check]]] = {
    EntryKind.GENESIS: {},
    EntryKind.DESTRUCTION: {
        "controller_id": _id,
        "kids": _list_of(_kid, least=1, most=MAX_KIDS),
    },
    EntryKind.REVOCATION: _PAIR,
    EntryKind.RESTRICTION: _PAIR,
    EntryKind.RESTRICTION_LIFTED: _PAIR,
    EntryKind.LOCK: {**_LOCK, "scope": _scope, "scope_id": _id},
    EntryKind.LOCK_LIFTED: _LOCK,
    EntryKind.REKEY: {
        "controller_id": _id,
        "old_kid": _kid,
        "new_kid": _kid,
        "records": _list_of(_id, least=0, most=MAX_KIDS),
    },
}
#: A pair without `purpose_id` covers every purpose of the subject.
_OPTIONAL_PAIR: Final[Mapping[str, Check]] = {"purpose_id": _id, "reason": _code}
_OPTIONAL: Final[Mapping[EntryKind, Mapping[str, Check]]] = {
    EntryKind.DESTRUCTION: {
        "erasure_id": _id,
        "ordinal": _is_count,
        "cluster": _code,
        "tags": _list_of(_tag, least=0, most=MAX_KIDS),
    },
    EntryKind.REVOCATION: _OPTIONAL_PAIR,
    EntryKind.RESTRICTION: _OPTIONAL_PAIR,
    EntryKind.RESTRICTION_LIFTED: _OPTIONAL_PAIR,
    EntryKind.LOCK: {"ground": _code},
    EntryKind.REKEY: {"subject_id": _id, "group": _code, "cluster": _code},
}


def check_body(kind: EntryKind, body: Mapping[str, object]) -> None:
    """Raise ValueError unless `body` has the members of its kind and nothing that could identify.

    The text names the member, never its value.
    """
    required, optional = _REQUIRED[kind], _OPTIONAL.get(kind, {})
    for name in required:
        if name not in body:
            raise ValueError(f"a {kind} entry needs {name}")
    for name, value in body.items():
        check = required.get(name) or optional.get(name)
        if check is None:
            raise ValueError(f"a {kind} entry has a member it may not have")
        if not check(value):
            raise ValueError(f"{name} of a {kind} entry is malformed")
