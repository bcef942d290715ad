"""Reading and writing of JSON where two readers must never see two meanings.

Refused: repeated members, NaN, fractions, integers beyond 2**53 - 1, lone surrogates.
"""

from __future__ import annotations

import json
from typing import Any

_MAX_INTEGER = 2**53 - 1


class NotStrictError(ValueError):
    """The bytes are not JSON in the strict sense; the text never repeats them."""


def read(content: bytes) -> Any:
    """The value in `content` (bytes). Raises NotStrictError."""
    try:
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_members,
            parse_float=_refuse,
            parse_constant=_refuse,
            parse_int=_integer,
        )
        write(value)
    except NotStrictError:
        raise
    except RecursionError:
        raise NotStrictError("the JSON is nested too deeply") from None
    except ValueError:
        raise NotStrictError("the file is not JSON in UTF-8") from None
    return value


def write(value: Any) -> bytes:
    """The canonical bytes (RFC 8785) of what `read` accepts with ASCII member names."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotStrictError("a member stands twice in one object")
    return members


def _refuse(_text: str) -> Any:
    raise NotStrictError("only whole numbers are used")


def _integer(text: str) -> int:
    if len(text) > len(str(_MAX_INTEGER)) + 1 or abs(int(text)) > _MAX_INTEGER or text == "-0":
        raise NotStrictError("a number is out of range")
    return int(text)
