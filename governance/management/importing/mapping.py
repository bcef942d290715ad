"""What a CSV's columns mean: read from a JSON file, applied row by row.

A mapping names the references that identify a subject, the category and reference of each
record, and the fields of its document. Rows it cannot read become `BadRow`, never an end.
"""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Any, Final

_PLACEHOLDER: Final = re.compile(r"\{([^{}]+)\}")
_UNSENDABLE: Final = re.compile("[\x00\ud800-\udfff]")
_TRUE: Final = {"1", "true", "t", "yes", "y"}
_FALSE: Final = {"0", "false", "f", "no", "n"}
_TYPES: Final = ("text", "integer", "number", "boolean", "date")
_EMPTY: Final = ("omit", "null", "refuse")


class MappingError(Exception):
    """The mapping file cannot be used; the text says why."""


class _Unreadable(Exception):
    """A row does not fit; the text names the column and never its value."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record as the API takes it; `line` is the CSV's line, the header being 1."""

    line: int
    references: tuple[tuple[str, str], ...]
    reference: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is left out, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class SubjectReference:
    """One reference kind; an optional one may be empty."""

    kind: str
    template: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Field:
    """One member of the document."""

    name: str
    column: str
    type: str
    empty: str


@dataclass(frozen=True, slots=True)
class Grouping:
    """Consecutive rows equal in these columns, at most so many, are one subject: `{group}`.

    The number depends on the order of the rows, so the same file must be sent again.
    """

    columns: tuple[str, ...]
    at_most: int


@dataclass(frozen=True, slots=True)
class CsvMapping:
    """A whole mapping file."""

    references: tuple[SubjectReference, ...]
    grouping: Grouping | None
    category: str
    reference: str
    fields: tuple[Field, ...]
    delimiter: str
    encoding: str


def load(path: Path) -> CsvMapping:
    """Read a mapping file. Raises MappingError."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MappingError(f"{path} is not a readable JSON file.") from error
    _keys(data, "the mapping", required={"subject", "record"}, optional={"csv"})
    subject, record, layout = data["subject"], data["record"], data.get("csv", {})
    _keys(subject, "subject", required={"references"}, optional={"group"})
    _keys(record, "record", required={"category", "reference", "fields"})
    _keys(layout, "csv", optional={"delimiter", "encoding"})
    if not subject["references"] or not record["fields"]:
        raise MappingError("Give at least one reference and one field.")
    return CsvMapping(
        references=tuple(_reference(item) for item in subject["references"]),
        grouping=_grouping(subject.get("group")),
        category=str(record["category"]),
        reference=str(record["reference"]),
        fields=tuple(_field(name, item) for name, item in record["fields"].items()),
        delimiter=str(layout.get("delimiter", ",")),
        encoding=str(layout.get("encoding", "utf-8")),
    )


def rows(path: Path, mapping: CsvMapping) -> Iterator[Row | BadRow]:
    """Every row of the CSV, in order. Raises MappingError when a column is missing."""
    with path.open(encoding=mapping.encoding, errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, delimiter=mapping.delimiter, strict=True)
        header = next(reader, [])
        _check_columns(header, mapping)
        groups = _Groups(mapping.grouping)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield BadRow(reader.line_num, "the row is not valid CSV")
                continue
            if cells:
                yield _row(reader.line_num, header, cells, mapping, groups)


class _Groups:
    def __init__(self, grouping: Grouping | None) -> None:
        self._grouping = grouping
        self._key: tuple[str, ...] | None = None
        self._number = self._members = 0

    def number(self, values: Mapping[str, str]) -> int:
        if self._grouping is None:
            return 0
        key = tuple(values[column] for column in self._grouping.columns)
        if key != self._key or self._members == self._grouping.at_most:
            self._key, self._members = key, 0
            self._number += 1
        self._members += 1
        return self._number


def _row(
    line: int, header: Sequence[str], cells: Sequence[str], mapping: CsvMapping, groups: _Groups
) -> Row | BadRow:
    if len(cells) != len(header):
        return BadRow(line, f"{len(cells)} columns where the header has {len(header)}")
    values = dict(zip(header, cells, strict=True))
    group = groups.number(values)  # also for a row that is left out, so that others keep theirs
    for column, value in values.items():
        if _UNSENDABLE.search(value):
            return BadRow(line, f"{column} is not valid {mapping.encoding} text")
    values |= {"line": str(line), "group": str(group)}
    try:
        return Row(
            line,
            references=_references(mapping, values),
            reference=_filled(mapping.reference, values),
            document=dict(_members(mapping.fields, values)),
        )
    except _Unreadable as error:
        return BadRow(line, str(error))


def _references(mapping: CsvMapping, values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    found = []
    for reference in mapping.references:
        columns = _PLACEHOLDER.findall(reference.template)
        if any(not values[column].strip() for column in columns):
            if reference.optional:
                continue
            raise _Unreadable(f"{reference.kind}: the reference is empty")
        found.append((reference.kind, _filled(reference.template, values)))
    if not found:
        raise _Unreadable("no reference names the subject")
    return tuple(found)


def _members(fields: Sequence[Field], values: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for field in fields:
        text = values[field.column].strip()
        if text:
            yield field.name, _typed(text, field)
        elif field.empty == "refuse":
            raise _Unreadable(f"{field.column} is empty")
        elif field.empty == "null":
            yield field.name, None


def _typed(text: str, field: Field) -> str | int | float | bool:
    try:
        if field.type == "integer":
            return int(text)
        if field.type == "number":
            return _finite(text)
        if field.type == "boolean":
            return _boolean(text)
        if field.type == "date":
            return date.fromisoformat(text).isoformat()
    except ValueError:
        raise _Unreadable(f"{field.column} is not of type {field.type}") from None
    return text


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError
    return number


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError


def _filled(template: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values[match.group(1)].strip(), template)


def _check_columns(header: Sequence[str], mapping: CsvMapping) -> None:
    if len(set(header)) != len(header):
        raise MappingError("The CSV's header names a column twice.")
    known = {*header, "line", *(("group",) if mapping.grouping else ())}
    templates = [mapping.reference, *(item.template for item in mapping.references)]
    named = {name for template in templates for name in _PLACEHOLDER.findall(template)}
    named |= {field.column for field in mapping.fields}
    named |= set(mapping.grouping.columns) if mapping.grouping else set()
    if missing := sorted(named - known):
        raise MappingError(f"The CSV has no column {', '.join(missing)}.")


def _reference(item: Any) -> SubjectReference:
    _keys(item, "a reference", required={"kind"}, optional={"column", "template", "optional"})
    if ("column" in item) == ("template" in item):
        raise MappingError("A reference has a column or a template, one of the two.")
    template = item.get("template") or "{" + str(item["column"]) + "}"
    return SubjectReference(str(item["kind"]), str(template), bool(item.get("optional", False)))


def _grouping(item: Any) -> Grouping | None:
    if item is None:
        return None
    _keys(item, "group", required={"consecutive", "at_most"})
    if not isinstance(item["at_most"], int) or item["at_most"] < 1:
        raise MappingError("group.at_most is a number from 1.")
    return Grouping(tuple(str(column) for column in item["consecutive"]), item["at_most"])


def _field(name: str, item: Any) -> Field:
    _keys(item, name, optional={"column", "type", "empty"})
    field = Field(
        name=name,
        column=str(item.get("column", name)),
        type=str(item.get("type", "text")),
        empty=str(item.get("empty", "omit")),
    )
    if field.type not in _TYPES:
        raise MappingError(f"{name}: the type is one of {', '.join(_TYPES)}.")
    if field.empty not in _EMPTY:
        raise MappingError(f"{name}: empty is one of {', '.join(_EMPTY)}.")
    return field


def _keys(
    value: Any, name: str, *, required: set[str] | None = None, optional: set[str] | None = None
) -> None:
    required, optional = required or set(), optional or set()
    if not isinstance(value, dict):
        raise MappingError(f"{name} is not a JSON object.")
    if missing := sorted(required - set(value)):
        raise MappingError(f"{name} lacks {', '.join(missing)}.")
    if unknown := sorted(set(value) - required - optional):
        raise MappingError(f"{name} has unknown {', '.join(unknown)}.")
