import json
from pathlib import Path
from typing import Any

import pytest

from governance.management.importing import mapping
from governance.management.importing.mapping import BadRow, MappingError, Row

RULES: dict[str, Any] = {
    "subject": {
        "references": [
            {"kind": "participant", "template": "p-{group}"},
            {"kind": "email", "column": "email", "optional": True},
        ],
        "group": {"consecutive": ["plan", "illness"], "at_most": 2},
    },
    "record": {
        "category": "health",
        "reference": "row-{line}",
        "fields": {
            "visits": {"type": "integer"},
            "illness": {"type": "number", "empty": "null"},
            "plan": {"column": "plan"},
        },
    },
}


def _read(tmp_path: Path, csv: str | bytes, rules: dict[str, Any] = RULES) -> list[Row | BadRow]:
    source, rule_file = tmp_path / "data.csv", tmp_path / "mapping.json"
    source.write_bytes(csv.encode() if isinstance(csv, str) else csv)
    rule_file.write_text(json.dumps(rules))
    return list(mapping.rows(source, mapping.load(rule_file)))


class TestRows:
    def test_type_the_fields_and_fill_the_templates(self, tmp_path: Path) -> None:
        (row,) = _read(tmp_path, "plan,visits,illness,email\nA,3,.5,a@example.org\n")

        assert row == Row(
            line=2,
            references=(("participant", "p-1"), ("email", "a@example.org")),
            reference="row-2",
            document={"visits": 3, "illness": 0.5, "plan": "A"},
        )

    def test_group_consecutive_equal_rows_up_to_the_limit(self, tmp_path: Path) -> None:
        lines = ["A,1,0,", "A,2,0,", "A,3,0,", "B,4,0,", "A,5,0,"]
        rows = _read(tmp_path, "plan,visits,illness,email\n" + "\n".join(lines))

        names = [row.references[0][1] for row in rows if isinstance(row, Row)]
        assert names == ["p-1", "p-1", "p-2", "p-3", "p-4"]

    def test_report_bad_ones_without_their_values_and_go_on(self, tmp_path: Path) -> None:
        lines = ["A,secret,0,", "A,1", "A,1,nan,", "A,1,0,"]
        *bad, good = _read(tmp_path, "plan,visits,illness,email\n" + "\n".join(lines))

        assert bad == [
            BadRow(2, "visits is not of type integer"),
            BadRow(3, "2 columns where the header has 4"),
            BadRow(4, "illness is not of type number"),
        ]
        assert isinstance(good, Row)

    def test_a_bad_row_keeps_its_place_in_the_grouping(self, tmp_path: Path) -> None:
        rows = _read(tmp_path, "plan,visits,illness,email\nA,1,0,\nA,x,0,\nA,1,0,\n")

        names = [row.references[0][1] for row in rows if isinstance(row, Row)]
        assert names == ["p-1", "p-2"]

    @pytest.mark.parametrize("value", [b"\xff", b"a\x00b"])
    def test_refuse_what_cannot_be_sent_as_text(self, tmp_path: Path, value: bytes) -> None:
        bad, good = _read(tmp_path, b"plan,visits,illness,email\nA,1,0," + value + b"\nA,1,0,\n")

        assert bad == BadRow(2, "email is not valid utf-8 text")
        assert isinstance(good, Row)


class TestLoad:
    @pytest.mark.parametrize(
        ("path", "value", "says"),
        [
            (("record", "fields", "visits", "type"), "float", "type is one of"),
            (("record", "fields", "visits", "empty"), "zero", "empty is one of"),
            (("subject", "references"), [], "at least one reference"),
            (("subject", "group", "at_most"), 0, "number from 1"),
            (("surprise",), 1, "unknown surprise"),
        ],
    )
    def test_refuses_what_it_does_not_understand(
        self, tmp_path: Path, path: tuple[str, ...], value: object, says: str
    ) -> None:
        rules = json.loads(json.dumps(RULES))
        inner = rules
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value

        with pytest.raises(MappingError, match=says):
            _read(tmp_path, "plan,visits,illness,email\n", rules)

    def test_names_the_column_that_the_file_lacks(self, tmp_path: Path) -> None:
        with pytest.raises(MappingError, match="no column illness, visits"):
            _read(tmp_path, "plan,email\nA,b\n")
