"""Values that stand for a person, and every form in which they might be left lying about.

All are made up: the name belongs to nobody, the domain and the phone numbers are reserved.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from urllib.parse import quote

NAME = "Zebulonia Quuxwörth"
EMAIL = "zebulonia.quuxwoerth@example.org"
PHONE = "+44 7700 900957"
NUMBER = "KD-77005519-ZQX"
ALL = (NAME, EMAIL, PHONE, NUMBER)


def forms(value: str) -> Mapping[str, bytes]:
    """The bytes of `value`, written in every way we could think of, by name."""
    raw = value.encode()
    written = {
        "text": raw,
        "upper case": value.upper().encode(),
        "lower case": value.lower().encode(),
        "UTF-16": value.encode("utf-16-le"),
        "JSON escapes": json.dumps(value).strip('"').encode(),
        "percent escapes": quote(value, safe="").encode(),
        "reversed": value[::-1].encode(),
    }
    return written | dict(_encoded("text", raw)) | dict(_digests(value))


def _digests(value: str) -> Iterator[tuple[str, bytes]]:
    """Plain hashes, of the value as it is and as somebody would first tidy it up."""
    for spelling in {value, value.lower(), value.upper(), value.replace(" ", "")}:
        for name in ("sha256", "sha1", "md5", "sha512", "blake2b"):
            digest = hashlib.new(name, spelling.encode()).digest()
            yield f"{name} of {spelling}", digest
            yield from _encoded(f"{name} of {spelling}", digest)


def _encoded(name: str, raw: bytes) -> Iterator[tuple[str, bytes]]:
    yield f"hexadecimal {name}", raw.hex().encode()
    yield f"upper-case hexadecimal {name}", raw.hex().upper().encode()
    # A base64 of something longer holds the value at one of three offsets, less its edges.
    for offset in range(3):
        inner = base64.b64encode(bytes(offset) + raw)[offset + (offset > 0) : -4]
        yield f"base64 {name} at offset {offset}", inner
        yield f"URL-safe base64 {name} at offset {offset}", inner.translate(_URL_SAFE)


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


@cache
def needles(values: tuple[str, ...]) -> dict[bytes, str]:
    """Everything to look for, with what it is; short forms would be found by chance."""
    return {
        form: f"{value}: {name}"
        for value in values
        for name, form in forms(value).items()
        if len(form) >= 8
    }


def found_in(content: bytes, values: Iterable[str] = ALL) -> list[str]:
    """Which forms of the values are in the bytes."""
    return sorted({what for form, what in needles(tuple(values)).items() if form in content})


def found_under(place: Path, values: Iterable[str] = ALL) -> list[str]:
    """Which forms stand in the file, or in any file below the folder, or in a file's name."""
    if not place.exists():
        message = f"{place} does not exist"
        raise FileNotFoundError(message)
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    wanted = list(values)
    return sorted(
        f"{path.name}: {what}"
        for path in files
        for what in {*found_in(path.read_bytes(), wanted), *found_in(str(path).encode(), wanted)}
    )
