"""NDJSON in, one outcome line per input line out; good lines go on when others are bad."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson
from django.http import StreamingHttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core import ids
from core.api import problems
from core.api.parsers import Line
from core.api.renderers import JSONRenderer
from core.errors import ServiceError, Unavailable
from core.ids import PublicId
from governance.api.schema import NDJSON

#: Lines that are acted on together; a subject's lines of one batch make one audit event.
BATCH = 1000
Outcome = Mapping[str, Any]
#: Reads a line of the usual form into its item; None leaves the line to the serializer.
Quick = Callable[[Any], Any]


def no_line(_value: Any) -> None:
    """The quick reader that reads nothing."""


class NDJSONRenderer(JSONRenderer):
    """For negotiation, and for problems asked for with `Accept: application/x-ndjson`."""

    media_type = NDJSON
    format = "ndjson"


@dataclass(slots=True)
class Progress:
    """What a bulk body has come to so far."""

    outcomes: Counter[str]
    lines: int = 0
    processed: int = 0
    last_processed_line: int = 0


def lines_of(request: Request) -> list[Line]:
    """All lines of the body, by NDJSONParser; few clients read while they write."""
    data: Any = request.data
    return list(data)


def answer(
    lines: Sequence[Line],
    *,
    serializer: type[serializers.Serializer[Any]],
    act: Callable[[list[Any]], list[Outcome]],
    quick: Quick = no_line,
) -> StreamingHttpResponse:
    """Stream outcomes, a chunk per batch of 1,000 lines, and a summary as the last line.

    `quick` reads lines of the usual form (see `governance.api.quick`). `act` answers one outcome
    per item and may be called again with parts of a batch. When it raises Unavailable the lines
    from its batch on are answered with that code and the stream ends; before the first line was
    processed the error is raised instead.
    """
    chunks = _chunks(lines, _Reader(serializer(), quick), act)
    first = next(chunks)
    return StreamingHttpResponse(chain([first], chunks), content_type=NDJSON)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Lines into items; one serializer for all, since making its fields costs more than use."""

    checker: serializers.Serializer[Any]
    quick: Quick

    def read(self, value: Any) -> Any:
        """The item. Raises ValidationError naming the fields."""
        item = self.quick(value)
        return item if item is not None else self.checker.run_validation(value)


def _chunks(
    lines: Sequence[Line],
    reader: _Reader,
    act: Callable[[list[Any]], list[Outcome]],
) -> Iterator[bytes]:
    progress = Progress(outcomes=Counter())
    failure: Unavailable | None = None
    for start in range(0, len(lines), BATCH):
        batch = lines[start : start + BATCH]
        answers: list[Outcome] = []
        if failure is None:
            try:
                answers = _batch(batch, reader, act)
                progress.processed += len(batch)
                progress.last_processed_line = batch[-1].number
            except Unavailable as error:
                if progress.processed == 0:
                    raise
                failure = error
        if failure is not None:
            answers = [{"outcome": failure.code} for _ in batch]
        yield _written(batch, answers, progress)
    yield _summary(progress, failure)


def _batch(
    batch: Sequence[Line],
    reader: _Reader,
    act: Callable[[list[Any]], list[Outcome]],
) -> list[Outcome]:
    answers: dict[int, Outcome] = {}
    good: list[tuple[int, Any]] = []
    for index, line in enumerate(batch):
        if line.problem is not None:
            answers[index] = refusal(line.problem)
            continue
        try:
            good.append((index, reader.read(line.value)))
        except serializers.ValidationError as error:
            answers[index] = refusal(error)
    acted = _act([item for _, item in good], act)
    answers |= {index: done for (index, _), done in zip(good, acted, strict=True)}
    return [answers[index] for index in range(len(batch))]


def _act(items: list[Any], act: Callable[[list[Any]], list[Outcome]]) -> list[Outcome]:
    """Outcomes of `items`; a failure that concerns one of them is narrowed down to it."""
    if not items:
        return []
    try:
        return act(items)
    except Unavailable:
        raise
    except ServiceError as error:
        if len(items) == 1:
            return [refusal(error)]
        middle = len(items) // 2
        return _act(items[:middle], act) + _act(items[middle:], act)


def refusal(error: Exception) -> Outcome:
    """A problem as one line's outcome."""
    failure, _, details = problems.describe(error)
    outcome: dict[str, Any] = {"outcome": failure.code}
    if details:
        outcome["errors"] = details
    return outcome


def _written(batch: Sequence[Line], answers: Sequence[Outcome], progress: Progress) -> bytes:
    progress.lines += len(batch)
    progress.outcomes.update(str(outcome["outcome"]) for outcome in answers)
    return b"".join(
        orjson.dumps({"line": line.number, **outcome}) + b"\n"
        for line, outcome in zip(batch, answers, strict=True)
    )


def _summary(progress: Progress, failure: Unavailable | None) -> bytes:
    summary: dict[str, Any] = {
        "end": True,
        "lines": progress.lines,
        "processed": progress.processed,
        "last_processed_line": progress.last_processed_line,
        "outcomes": dict(progress.outcomes),
    }
    if failure is not None:
        summary |= {"code": failure.code, "retry_after": failure.retry_after}
    return orjson.dumps(summary) + b"\n"


def public(kind: PublicId, value: Any) -> str:
    """A UUID as a public id, for outcomes written without a serializer."""
    return ids.format(kind, value)
