"""The one byte encoding of JSON values for hashing and signing: RFC 8785 (JCS).

Nothing is coerced: instants, UUIDs, bytes and decimals are turned into text by the caller.
"""

from datetime import UTC, datetime
from typing import Any, Final

import orjson
import rfc8785

_LARGEST: Final = 2**53 - 1
#: Values nested deeper go to the careful encoder.
_DEPTH: Final = 8
_ENCODED = "only None, bool, int, float, str, list, tuple and dict with str keys are encoded"


def encode(value: Any) -> bytes:
    """Encode `value` canonically.

    Floats follow RFC 8785 (1.0 and 1 encode alike); integers beyond 2**53 - 1 are refused, as
    other readers would round them. Raises ValueError for NaN, infinities, lone surrogates,
    integers out of range, other types and non-string keys: programmer faults, whose texts never
    repeat the value.
    """
    if _is_plain(value):
        try:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError:
            pass  # the careful encoder says what is wrong
    try:
        return rfc8785.dumps(value)
    except rfc8785.FloatDomainError:
        raise ValueError("NaN and infinities have no canonical form") from None
    except rfc8785.IntegerDomainError:
        raise ValueError("an integer lies beyond 2**53 - 1") from None
    except UnicodeEncodeError:
        raise ValueError("a string is not valid Unicode") from None
    except RecursionError:
        raise ValueError("the value is nested too deeply") from None
    except rfc8785.CanonicalizationError as error:
        if isinstance(error.__cause__, UnicodeEncodeError):
            raise ValueError("a string is not valid Unicode") from None  # noqa: TRY004
        raise ValueError(f"the value has no canonical form; {_ENCODED}") from None


def _is_plain(value: object, depth: int = 0) -> bool:
    """Whether the fast encoder writes `value` as RFC 8785 does.

    It does for everything but floats, and sorts names by their bytes: in ASCII, as UTF-16 units.
    """
    kind = type(value)  # exactly: an enum may be written otherwise
    if kind is str or kind is bool or value is None:
        return True
    if kind is int and isinstance(value, int):
        return -_LARGEST <= value <= _LARGEST
    if depth == _DEPTH:
        return False
    if kind is dict and isinstance(value, dict):
        return all(
            type(name) is str and name.isascii() and _is_plain(item, depth + 1)
            for name, item in value.items()
        )
    if kind is list and isinstance(value, list):
        return all(_is_plain(item, depth + 1) for item in value)
    return False


def instant(value: datetime) -> str:
    """RFC 3339 in UTC with six decimals and `Z`, so that texts sort as times do.

    Raises ValueError for a naive datetime.
    """
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError("an instant needs a time zone")
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_instant(text: str) -> datetime:
    """Read what `instant` wrote, and nothing else. Raises ValueError."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None or instant(value) != text:
        raise ValueError("not an instant in canonical form")
    return value
