"""The demo's data: a public table about real people, and contacts that are made up.

The table is the RAND Health Insurance Experiment as the package statsmodels ships it (public
domain). It has no person id: consecutive rows that are equal in six columns, at most five of
them, count as one subject.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from config.local.addresses import NotPossible

SAME_PERSON: Final = ("lncoins", "idp", "lpi", "fmde", "physlm", "disea")
MOST_ROWS: Final = 5
_SEED: Final = 20_190
HEALTH, CONTACT = "health-insurance", "contact"

_NUMBERS: Final = ("lncoins", "lpi", "fmde", "physlm", "disea")
_COUNTS: Final = ("mdvis", "idp", "hlthg", "hlthf", "hlthp")

HEALTH_SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        **{name: {"type": "number"} for name in _NUMBERS},
        **{name: {"type": "integer", "minimum": 0} for name in _COUNTS},
    },
    "required": sorted((*_NUMBERS, *_COUNTS)),
    "additionalProperties": False,
}
CONTACT_SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 200},
        "email": {"type": "string", "maxLength": 200},
        "synthetic": {"type": "boolean"},
    },
    "required": ["name", "email"],
    "additionalProperties": False,
}
_HEALTH_MAPPING: Final[dict[str, Any]] = {
    "subject": {
        "references": [{"kind": "participant", "template": "{group}"}],
        "group": {"consecutive": SAME_PERSON, "at_most": MOST_ROWS},
    },
    "record": {
        "category": HEALTH,
        "reference": "row-{line}",
        "fields": {
            **{name: {"type": "number", "empty": "refuse"} for name in _NUMBERS},
            **{name: {"type": "integer", "empty": "refuse"} for name in _COUNTS},
        },
    },
}
_CONTACT_MAPPING: Final[dict[str, Any]] = {
    "subject": {
        "references": [
            {"kind": "participant", "column": "participant"},
            {"kind": "email", "column": "email"},
        ]
    },
    "record": {
        "category": CONTACT,
        "reference": "contact",
        "fields": {"name": {}, "email": {}, "synthetic": {"type": "boolean"}},
    },
}


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV with its mapping, ready for `manage.py import_records`."""

    csv: Path
    mapping: Path
    rows: int


@dataclass(frozen=True, slots=True)
class Contact:
    """A made-up person; `participant` is the number that the table's grouping gives."""

    participant: int
    name: str
    email: str


def health_table(folder: Path, *, most: int | None = None) -> Table:
    """The table with its mapping; `most` takes only so many rows, for tests."""
    rows = list(_table_rows())[:most]
    target = _write(folder / "randhie.csv", list(rows[0]), [list(row.values()) for row in rows])
    return Table(target, _mapping(folder / "randhie.mapping.json", _HEALTH_MAPPING), len(rows))


def contacts(*, subjects: int) -> list[Contact]:
    """One synthetic contact per subject, the same in every run; addresses cannot exist."""
    from faker import Faker

    fake = Faker("en_US")
    fake.seed_instance(_SEED)
    return [
        Contact(number, fake.name(), f"{fake.user_name()}.{number}@example.org")
        for number in range(1, subjects + 1)
    ]


def contact_table(folder: Path, people: list[Contact]) -> Table:
    """The contacts as a CSV, labelled synthetic row by row."""
    rows = [[str(one.participant), one.name, one.email, "true"] for one in people]
    target = _write(
        folder / "contacts-synthetic.csv", ["participant", "name", "email", "synthetic"], rows
    )
    return Table(target, _mapping(folder / "contacts.mapping.json", _CONTACT_MAPPING), len(rows))


def count_subjects(table: Table) -> int:
    """How many subjects the grouping rule makes of the table."""
    with table.csv.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        runs = groupby(rows, key=lambda row: [row[column] for column in SAME_PERSON])
        return sum(-(-sum(1 for _ in run) // MOST_ROWS) for _, run in runs)


def _table_rows() -> Iterator[dict[str, str]]:
    package = find_spec("statsmodels")  # found and not imported: that takes seconds
    if package is None or package.origin is None:
        raise NotPossible("The package statsmodels is missing. Run: make setup")
    source = Path(package.origin).parent / "datasets" / "randhie" / "randhie.csv"
    with source.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _write(path: Path, header: list[str], rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def _mapping(path: Path, rules: dict[str, Any]) -> Path:
    path.write_text(json.dumps(rules, indent=2), encoding="utf-8")
    return path
