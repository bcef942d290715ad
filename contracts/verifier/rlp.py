"""Recursive Length Prefix (Ethereum yellow paper, appendix B), read in its one canonical form."""

from __future__ import annotations

from typing import Any, List, Tuple, Union

Item = Union[bytes, List[Any]]
_DEPTH = 8
#: First bytes: of a string, of a list; and how long a body is whose length has a length.
_STRING, _LIST, _LONG = 0x80, 0xC0, 56


class NotRlpError(ValueError):
    """The bytes are no RLP in canonical form."""


def read(content: bytes) -> Item:
    """The one item in `content`: bytes, or a list of items. Raises NotRlpError."""
    item, end = _item(content, 0, _DEPTH)
    if end != len(content):
        raise NotRlpError("bytes are left over")
    return item


def number(item: Item) -> int:
    """A number without leading zeros. Raises NotRlpError."""
    if not isinstance(item, bytes) or item[:1] == b"\x00":
        raise NotRlpError("not a number")
    return int.from_bytes(item, "big")


def write_number(value: int) -> bytes:
    """The encoding of a number, which is what a trie of receipts has as its keys."""
    body = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return body if len(body) == 1 and body < b"\x80" else bytes([0x80 + len(body)]) + body


def _item(content: bytes, at: int, depth: int) -> Tuple[Item, int]:
    if at >= len(content) or depth == 0:
        raise NotRlpError("too short, or nested too deeply")
    first = content[at]
    if first < _STRING:
        return content[at : at + 1], at + 1
    base = _STRING if first < _LIST else _LIST
    begin, length = _length(content, at, first - base)
    end = begin + length
    if end > len(content):
        raise NotRlpError("too short")
    if base == _STRING:
        body = content[begin:end]
        if length == 1 and body < b"\x80":
            raise NotRlpError("a byte that needs no prefix has one")
        return body, end
    items: List[Any] = []
    while begin < end:
        item, begin = _item(content[:end], begin, depth - 1)
        items.append(item)
    return items, end


def _length(content: bytes, at: int, code: int) -> Tuple[int, int]:
    """Where the body begins, and how long it is."""
    if code < _LONG:
        return at + 1, code
    of_length = code - _LONG + 1
    told = content[at + 1 : at + 1 + of_length]
    length = int.from_bytes(told, "big")
    if len(told) < of_length or told[:1] == b"\x00" or length < _LONG:
        raise NotRlpError("a length is not written as it must be")
    return at + 1 + of_length, length
