"""Strict JSON: what two readers could read differently, or a database cannot hold, is refused."""

import json
import math
import re
from typing import Any, Final, NoReturn

import orjson

from core.errors import InvalidInput

MAX_DEPTH = 32
#: Beyond this, readers that use floating point round, and canonical JSON refuses.
MAX_INTEGER = 2**53 - 1
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
#: Where an object's name may end. Text can look like this too, which costs only time.
_NAME_END: Final = re.compile(rb'"[ \t\n\r]*:')


class MalformedBody(InvalidInput):
    """The body is not JSON as RFC 8259 and this API want it."""

    code = "malformed-json"
    text = "The body is not valid JSON."


def load(data: bytes) -> Any:
    """Parse `data`.

    Raises MalformedBody for bad UTF-8, bad syntax, repeated names, NaN and infinities, numbers
    beyond 2**53 - 1, NUL or lone surrogates in text, and nesting deeper than 32.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _load_carefully(data)
    names = _names(value)
    if names is None or b"\\u0000" in data or len(_NAME_END.findall(data)) != names:
        return _load_carefully(data)
    return value


def _names(value: Any) -> int | None:
    """How many names the objects in `value` have; None where the fast parser says too little.

    It reads integers beyond 64 bits as floats and keeps the last of a repeated name.
    """
    level, depth, names = [value], 0, 0
    while level:
        depth += 1
        inner: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str or item is None:
                continue
            if kind is dict:
                names += len(item)
                inner.extend(item.values())
            elif kind is list:
                inner.extend(item)
            elif abs(item) > MAX_INTEGER:
                return None
        if depth >= MAX_DEPTH and inner:
            return None
        level = inner
    return names


def _load_carefully(data: bytes) -> Any:
    """Parse again by a reader that sees every name and digit, and says what is wrong."""
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_number,
        )
    except UnicodeDecodeError:
        raise MalformedBody("The body is not valid UTF-8.") from None
    except RecursionError:
        raise MalformedBody(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise MalformedBody(line=error.lineno, column=error.colno) from None
    _check(value)
    return value


_TOO_DEEP = f"JSON nested deeper than {MAX_DEPTH} levels is not accepted."


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedBody("A name occurs twice in one JSON object.")
    return value


def _refuse_constant(_name: str) -> NoReturn:
    raise MalformedBody("NaN and infinities are not JSON.")


def _integer(digits: str) -> int:
    if len(digits) > len(str(MAX_INTEGER)) + 1 or abs(int(digits)) > MAX_INTEGER:
        raise MalformedBody("A number is beyond 2**53 - 1; send it as text.")
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedBody("A number is too large; send it as text.")
    return number


def _check(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH and any(isinstance(item, dict | list) for item in level):
            raise MalformedBody(_TOO_DEEP)
        inner: list[Any] = []
        for item in level:
            if isinstance(item, str):
                if _UNSTORABLE.search(item):
                    raise MalformedBody("Text must not contain NUL or lone surrogates.")
            elif isinstance(item, dict):
                inner.extend(item.keys())
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        level = inner
