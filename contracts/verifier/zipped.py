"""The zip of a bundle, in the one restricted form that all readers read alike.

Format: `docs/formats/bundle.md`. Nothing here trusts its input.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import Dict, List, NamedTuple, Tuple

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_NAME = re.compile(rb"[a-z0-9][a-z0-9.-]{0,63}")
_MOST = 64


class NotSuchZipError(ValueError):
    """The bytes are no zip of the form prescribed."""


class _Entry(NamedTuple):
    name: bytes
    crc: int
    size: int
    at: int


def read(content: bytes) -> Dict[str, bytes]:
    """The entries by name, in their order. Raises NotSuchZipError."""
    try:
        entries, end = _directory(content)
        return _contents(content, entries, end)
    except struct.error:
        raise NotSuchZipError("the zip ends too early") from None


def _directory(content: bytes) -> Tuple[List[_Entry], int]:
    """What the central directory lists, and where it begins."""
    if len(content) < _END.size:
        raise NotSuchZipError("the zip ends too early")
    record = _END.unpack_from(content, len(content) - _END.size)
    mark, disk, of_disk, here, count, size, start, comment = record
    if (mark, disk, of_disk, here, comment) != (b"PK\x05\x06", 0, 0, count, 0):
        raise NotSuchZipError("the zip has no end record at its end")
    if start + size != len(content) - _END.size or not 0 < count <= _MOST:
        raise NotSuchZipError("the zip's directory is not where it must be")
    entries, at = [], start
    for _ in range(count):
        fields = _CENTRAL.unpack_from(content, at)
        mark, _, _, flags, method, _, _, crc, packed, unpacked, long, extra, note, disk = fields[
            :14
        ]
        name = content[at + _CENTRAL.size : at + _CENTRAL.size + long]
        if mark != b"PK\x01\x02" or (flags, method, extra, note, disk) != (0, 0, 0, 0, 0):
            raise NotSuchZipError("an entry of the zip is not simply stored")
        if packed != unpacked or _NAME.fullmatch(name) is None:
            raise NotSuchZipError("an entry of the zip has no such size or name")
        entries.append(_Entry(name, crc, packed, fields[16]))
        at += _CENTRAL.size + long
    if at != len(content) - _END.size or len({one.name for one in entries}) != count:
        raise NotSuchZipError("the zip's directory is not what it must be")
    return entries, start


def _contents(content: bytes, entries: List[_Entry], end: int) -> Dict[str, bytes]:
    found, at = {}, 0
    for entry in entries:
        fields = _LOCAL.unpack_from(content, at)
        mark, _, flags, method, _, _, crc, packed, unpacked, long, extra = fields
        name_at = at + _LOCAL.size
        begin = name_at + long
        body = content[begin : begin + packed]
        told = (flags, method, extra, crc, packed, unpacked, content[name_at:begin], at)
        if mark != b"PK\x03\x04" or told != (
            (0, 0, 0, entry.crc, entry.size, entry.size, entry.name, entry.at)
        ):
            raise NotSuchZipError("an entry of the zip differs from its directory")
        if begin + packed > end or zlib.crc32(body) != entry.crc:
            raise NotSuchZipError("an entry of the zip is damaged")
        found[entry.name.decode("ascii")] = body
        at = begin + packed
    if at != end:
        raise NotSuchZipError("the zip has bytes that belong to no entry")
    return found
