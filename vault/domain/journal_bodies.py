"""What each kind of journal entry may say: opaque ids, digests, codes, counts and instants.

Pure. Nothing else passes `check_body`, so no identity enters the journal.
"""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from core import canonical

MAX_KIDS: Final = 1000
#: Rows and items of one entry, and tags of one item.
MAX_ITEMS: Final = 1000
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
    RELEASED = "released"


def _matches(pattern: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _list_of(check: Check, *, least: int, most: int) -> Check:
    return lambda value: (
        isinstance(value, list)
        and least <= len(value) <= most
        and all(check(item) for item in value)
    )


def _object(required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    def check(value: object) -> bool:
        if not isinstance(value, Mapping) or not required.keys() <= value.keys():
            return False
        known = {**required, **optional}
        return all(name in known and known[name](part) for name, part in value.items())

    return check


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_instant(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(canonical.parse_instant(value))
    except ValueError:
        return False


_id = _matches("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_kid = _matches("[0-9a-f]{32}")
_digest = _matches("[0-9a-f]{64}")
_code = _matches("(?=.{1,64}$)[a-z][a-z0-9]*(-[a-z0-9]+)*")
_group = _matches("[a-z0-9][a-z0-9-]{0,39}")
_scope = _matches("subject|category|purpose|controller")
_person = _matches("psn_[0-9a-z]{1,40}")
_actor = _matches("(psn|cli)_[0-9a-z]{1,40}|process:[a-z]{1,20}")
_ids = _list_of(_id, least=0, most=MAX_ITEMS)

_tag = _object({"kind": _code, "tag": _digest, "source_id": _id}, {})
_ITEM: Final[Mapping[str, Check]] = {
    "erasure_id": _id,
    "kids": _list_of(_kid, least=0, most=MAX_KIDS),
    "tags": _list_of(_tag, least=0, most=MAX_ITEMS),
}
_of_subject = _object({**_ITEM, "scope": _matches("subject")}, {})
_of_nobody = _object({**_ITEM, "scope": _matches("orphans")}, {})
_of_group = _object({**_ITEM, "scope": _matches("group|rekey"), "group": _group}, {})


def _are_items(value: object) -> bool:
    """1 to 1,000 erasures with at most 1,000 kids in all."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ITEMS:
        return False
    kinds = (_of_subject, _of_group, _of_nobody)
    if not all(any(is_one(item) for is_one in kinds) for item in value):
        return False
    return sum(len(item["kids"]) for item in value) <= MAX_KIDS


def _are_operators(value: object) -> bool:
    """Two different persons."""
    are_two = _list_of(_person, least=2, most=2)(value)
    return are_two and isinstance(value, list) and value[0] != value[1]


_PAIR: Final[Mapping[str, Check]] = {
    "controller_id": _id,
    "subject_id": _id,
    "decided_at": _is_instant,
}
_LOCK: Final[Mapping[str, Check]] = {"controller_id": _id, "lock_id": _id}
_REQUIRED: Final[Mapping[EntryKind, Mapping[str, Check]]] = {
    EntryKind.GENESIS: {},
    EntryKind.DESTRUCTION: {"controller_id": _id, "cluster": _code, "items": _are_items},
    EntryKind.REVOCATION: _PAIR,
    EntryKind.RESTRICTION: _PAIR,
    EntryKind.RESTRICTION_LIFTED: _PAIR,
    EntryKind.LOCK: {
        **_LOCK,
        "scope": _scope,
        "scope_id": _id,
        "ground": _code,
        "placed_by": _actor,
        "placed_at": _is_instant,
    },
    EntryKind.LOCK_LIFTED: {**_LOCK, "lifted_by": _actor, "lifted_at": _is_instant},
    EntryKind.REKEY: {
        "controller_id": _id,
        "subject_id": _id,
        "group": _group,
        "cluster": _code,
        "old_kid": _kid,
        "new_kid": _kid,
        "rows": _ids,
        "reason": _matches("rectification|erasure|leak|rotation"),
    },
    EntryKind.RELEASED: {"officer": _actor, "erasures": _ids},
}
#: A pair without `purpose_id` covers every purpose of the subject.
_OPTIONAL_PAIR: Final[Mapping[str, Check]] = {"purpose_id": _id, "reason": _code}
_OPTIONAL: Final[Mapping[EntryKind, Mapping[str, Check]]] = {
    EntryKind.GENESIS: {
        "previous": _object({"journal_id": _id, "sequence": _is_count, "hash": _digest}, {}),
        "operators": _are_operators,
        "barred_before": _is_instant,
    },
    EntryKind.REVOCATION: _OPTIONAL_PAIR,
    EntryKind.RESTRICTION: _OPTIONAL_PAIR,
    EntryKind.RESTRICTION_LIFTED: _OPTIONAL_PAIR,
    EntryKind.RELEASED: {"controller_id": _id},
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
    if kind is EntryKind.GENESIS and body and len(body) < len(optional):
        raise ValueError("a refounded journal says what it follows, who refounded it and when")
