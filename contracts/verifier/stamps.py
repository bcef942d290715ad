"""Timestamp tokens (RFC 3161) over heads: which head one is about, and when it says that was there.

Who signed a token is not checked here: that takes the authority's certificates, and `openssl ts`.
Format: `docs/formats/certificate.md`, stamps. Nothing here trusts its input.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Dict, List, Optional, Tuple

from contracts.verifier import log
from contracts.verifier.log import decoded

_SEQUENCE, _OID, _OCTETS, _TIME, _EXPLICIT = 0x30, 0x06, 0x04, 0x18, 0xA0
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_TST_INFO = bytes.fromhex("2a864886f70d0109100104")
_SHA256 = bytes.fromhex("608648016503040201")
_GENERALIZED = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{0,5}[1-9]))?Z")
_LONG, _MOST = 0x80, 4


class NotDerError(ValueError):
    """The bytes are no DER of the form expected."""


class Stamp:
    """A head with the document's entry, and the token over it."""

    def __init__(self, part: Any, entry: log.Entry, token: bytes) -> None:
        self.entry, self.token = entry, token
        self.stamped_at: str = part["stamped_at"]


def examine(part: Any, leaf: bytes, keys: Dict[str, Any]) -> Tuple[Optional[Stamp], List[str]]:
    """The stamp, if its head holds and the token is about it at that time; else why not."""
    entry = log.parse(part["proof"])
    if entry is None:
        return None, ["the stamp's proof is not a tlog-proof with a checkpoint"]
    problems = log.inclusion_problems(entry, leaf) or log.signature_problems(entry, keys)[0]
    if problems:
        return None, ["stamp: " + problem for problem in problems]
    token = decoded(part["token"]) or b""
    try:
        imprint, time = _told(token)
    except NotDerError as error:
        return None, ["the token cannot be read: %s" % error]
    if imprint != hashlib.sha256(entry.text.encode("utf-8")).digest():
        return None, ["the token is about something else"]
    if time != part["stamped_at"]:
        return None, ["the token says another time"]
    return Stamp(part, entry, token), []


def _told(token: bytes) -> Tuple[bytes, str]:
    """Imprint and time of the TSTInfo in a token (RFC 5652, section 5; RFC 3161, section 2.4.2)."""
    kind, content = _members(_whole(token, _SEQUENCE), 2)
    if kind != (_OID, _SIGNED_DATA):
        raise NotDerError("it is no signed data")
    signed = _members(_whole(_of(content, _EXPLICIT), _SEQUENCE), 3)
    kind, content = _members(_of(signed[2], _SEQUENCE), 2)
    if kind != (_OID, _TST_INFO):
        raise NotDerError("it is no timestamp")
    info = _whole(_whole(_of(content, _EXPLICIT), _OCTETS), _SEQUENCE)
    _version, _policy, message, _serial, time = _members(info, 5)
    algorithm, imprint = _members(_of(message, _SEQUENCE), 2)
    if _members(_of(algorithm, _SEQUENCE), 1)[0] != (_OID, _SHA256):
        raise NotDerError("it is of another algorithm")
    return _of(imprint, _OCTETS), _instant(_of(time, _TIME))


def _instant(text: bytes) -> str:
    found = _GENERALIZED.fullmatch(text)
    if found is None:
        raise NotDerError("its time is none")
    *parts, fraction = (group.decode() if group else "" for group in found.groups())
    return "%s-%s-%sT%s:%s:%s." % tuple(parts) + fraction.ljust(6, "0") + "Z"


Value = Tuple[int, bytes]


def _members(content: bytes, least: int) -> List[Value]:
    """The values that stand one after the other; at least so many."""
    found, at = [], 0
    while at < len(content):
        value, at = _value(content, at)
        found.append(value)
    if len(found) < least:
        raise NotDerError("something is missing")
    return found[:least]


def _whole(content: bytes, tag: int) -> bytes:
    """The body of the one value in it."""
    value, end = _value(content, 0)
    if end != len(content):
        raise NotDerError("bytes are left over")
    return _of(value, tag)


def _of(value: Value, tag: int) -> bytes:
    if value[0] != tag:
        raise NotDerError("a value is of another kind")
    return value[1]


def _value(content: bytes, at: int) -> Tuple[Value, int]:
    if at + 2 > len(content):
        raise NotDerError("it is too short")
    tag, length, begin = content[at], content[at + 1], at + 2
    if length >= _LONG:
        count = length - _LONG
        told = content[begin : begin + count]
        length, begin = int.from_bytes(told, "big"), begin + count
        if not 0 < count <= _MOST or len(told) < count or told[0] == 0 or length < _LONG:
            raise NotDerError("a length is not written as it must be")
    if begin + length > len(content):
        raise NotDerError("it is too short")
    return (tag, content[begin : begin + length]), begin + length
