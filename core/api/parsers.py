"""Bodies, read within limits. Nothing here repeats what it read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from django.conf import settings
from django.http import UnreadablePostError
from rest_framework.parsers import BaseParser

from core.api import json_input
from core.errors import InvalidInput, ServiceError, TooLarge

#: Bytes that are read at once.
_BLOCK = 64 << 10


class BodyTooLarge(TooLarge):
    """More bytes than LETHE_MAX_BODY."""

    code = "body-too-large"


class LineTooLarge(TooLarge):
    """One line of a bulk body has more bytes than LETHE_MAX_LINE."""

    code = "line-too-large"
    text = "This line is too long; the others were read."


class TooManyLines(TooLarge):
    """The bulk body goes on past LETHE_MAX_BULK_LINES or the largest bulk body."""

    code = "too-many-lines"
    text = "The body goes on past the limit; from this line on nothing was read. Send the rest."


class UnreadableBody(InvalidInput):
    """The connection broke, or the body is shorter than announced."""

    code = "unreadable-body"
    text = "The body could not be read to its end."


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bulk body, counted from 1: its value, or why it has none."""

    number: int
    value: Any = None
    problem: ServiceError | None = None


class JSONParser(BaseParser):
    """`application/json` up to LETHE_MAX_BODY bytes. Raises BodyTooLarge and MalformedBody."""

    media_type = "application/json"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,  # noqa: ARG002 - DRF's form
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The value; an empty body is an error of its own."""
        limit = settings.LETHE_MAX_BODY
        body = _read(stream, limit + 1)
        if len(body) > limit:
            raise BodyTooLarge(limit=limit)
        if parser_context is not None and "request" in parser_context:
            parser_context["request"].raw_body = body  # for the Idempotency-Key's digest
        return json_input.load(body)


class NDJSONParser(BaseParser):
    """`application/x-ndjson`, line by line: `request.data` is an iterator of `Line`.

    Each line stands for itself: one that cannot be read carries its problem and the rest goes
    on. The last line is TooManyLines when the body goes on past the limit.
    """

    media_type = "application/x-ndjson"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,  # noqa: ARG002 - DRF's form
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002 - DRF's form
    ) -> Any:
        """The lines (`Iterator[Line]`), read as they are asked for."""
        return lines(stream)


def lines(stream: BinaryIO) -> Iterator[Line]:
    """Lines of an NDJSON body; blank ones are counted and skipped."""
    taken = 0
    for number, raw in enumerate(_raw_lines(stream, settings.LETHE_MAX_LINE), start=1):
        taken += len(raw) if raw is not None else settings.LETHE_MAX_LINE
        if number > settings.LETHE_MAX_BULK_LINES or taken > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            yield Line(number, problem=TooManyLines(limit=settings.LETHE_MAX_BULK_LINES))
            return
        if raw is None:
            yield Line(number, problem=LineTooLarge(limit=settings.LETHE_MAX_LINE))
        elif raw.strip():
            yield _line(number, raw)


def _line(number: int, raw: bytes) -> Line:
    try:
        return Line(number, value=json_input.load(raw))
    except InvalidInput as problem:
        return Line(number, problem=problem)


def _raw_lines(stream: BinaryIO, longest: int) -> Iterator[bytes | None]:
    """Lines without their end; None for one over `longest`, whose rest is skipped."""
    rest, is_skipping = b"", False
    while block := _read(stream, _BLOCK):
        *whole, rest = (rest + block).split(b"\n")
        for raw in whole:
            line = raw.rstrip(b"\r")
            if not is_skipping:
                yield line if len(line) <= longest else None
            is_skipping = False
        if is_skipping:
            rest = b""
        elif len(rest) > longest + 1:  # one more, since a carriage return may end it
            yield None
            rest, is_skipping = b"", True
    line = rest.rstrip(b"\r")
    if line and not is_skipping:
        yield line if len(line) <= longest else None


def _read(stream: BinaryIO, size: int) -> bytes:
    try:
        return stream.read(size)
    except (UnreadablePostError, OSError) as error:
        raise UnreadableBody from error
