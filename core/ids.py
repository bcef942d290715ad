"""Identifiers: UUIDs inside, prefixed text outside (`docs/formats/identifiers.md`).

Time-ordered ids keep indexes dense; random ids are for everything whose time of creation would
say something about a person (subjects, trails, erasures, aliases).
"""

import re
import uuid
from enum import StrEnum
from typing import Final

from uuid_utils import compat

from core.errors import InvalidInput

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32, lower case
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
_LENGTH: Final = 26  # ceil(128 / 5); the first letter carries three bits
_PAIRS: Final = tuple(one + two for one in _ALPHABET for two in _ALPHABET)
_SHIFTS: Final = tuple(range(5 * (_LENGTH - 2), -1, -10))
_BODY: Final = re.compile(f"[0-7][{_ALPHABET}]{{{_LENGTH - 1}}}")


class PublicId(StrEnum):
    """What a public id names; the value is its prefix and never changes."""

    SUBJECT = "sub"
    RECORD = "rec"
    REQUEST = "req"
    CONSENT = "cns"
    CATEGORY = "cat"
    PURPOSE = "pur"
    LEASE = "lea"
    ERASURE = "ers"
    CERTIFICATE = "crt"
    CONTROLLER = "ctl"
    EVENT = "evt"
    ALIAS = "als"
    PERSON = "psn"
    CLIENT = "cli"
    NOTICE = "ntc"
    LOCK = "lck"
    REKEY = "rky"
    MASS_ACT = "mas"


class MalformedIdentifier(InvalidInput):
    """The text is not a public id of the expected kind."""

    code = "malformed-identifier"
    text = "This is not an identifier of the expected kind."


def new_time_ordered() -> uuid.UUID:
    """A UUIDv7; shows its time of creation to the millisecond."""
    return compat.uuid7()


def new_random() -> uuid.UUID:
    """A UUIDv4; shows nothing."""
    return uuid.uuid4()


def format(kind: PublicId, value: uuid.UUID) -> str:  # noqa: A001  read as ids.format
    """Write `value` as `<prefix>_<26 letters>`."""
    number = value.int
    pairs = [_PAIRS[number >> shift & 1023] for shift in _SHIFTS]
    return f"{kind.value}_{''.join(pairs)}"


def parse(kind: PublicId, text: str, *, field: str = "id") -> uuid.UUID:
    """Read an id of `kind`; only the exact text that `format` writes is accepted.

    `field` names the input field in the error. Raises MalformedIdentifier.
    """
    prefix, _, body = text.partition("_")
    if prefix != kind.value or _BODY.fullmatch(body) is None:
        raise MalformedIdentifier(field=field, expected=kind.value)
    number = 0
    for letter in body:
        number = number << 5 | _VALUES[letter]
    return uuid.UUID(int=number)
