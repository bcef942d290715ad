"""What must not stand in any file of the project."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture import tree

#: Written in two halves, so that this file does not find itself.
UNFINISHED = re.compile(
    r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "TB" + "D")) + r")\b"
    r"|raise NotImpl" + "emented"
)
OUTSIDE = re.compile("/work" + "/|\\.\\./" + "shared|/" + "opt/wheels")
LOCATIONS = re.compile(r"https?://|--(extra-)?index-url|--find-links|^-[if] ", re.MULTILINE)

#: How many exceptions from the checkers there are. It only goes down; a new one needs a reason
#: in its line, and another that leaves.
MOST_IGNORES, MOST_NOQA = 55, 75


def _hits(pattern: re.Pattern[str], paths: Iterator[Path]) -> list[str]:
    return [
        f"{path.relative_to(tree.ROOT)}:{number}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]


class TestFiles:
    def test_hold_no_unfinished_work(self) -> None:
        assert _hits(UNFINISHED, tree.files(".py", ".sh", ".go", ".html", ".toml", ".yml")) == []

    def test_need_nothing_outside_the_project(self) -> None:
        assert _hits(OUTSIDE, tree.files()) == []

    @pytest.mark.parametrize("suffix", [".in", ".txt"])
    def test_of_requirements_name_no_registry(self, suffix: str) -> None:
        files = (path for path in tree.files(suffix) if path.parent.name == "requirements")

        assert _hits(LOCATIONS, files) == []


class TestExceptions:
    @pytest.mark.parametrize(
        ("marker", "most"),
        [("# type: " + "ignore", MOST_IGNORES), ("# no" + "qa", MOST_NOQA)],
    )
    def test_from_the_checkers_do_not_grow(self, marker: str, most: int) -> None:
        assert len(_hits(re.compile(marker), tree.python())) <= most

    def test_name_the_rule_they_are_from(self) -> None:
        bare = re.compile("# type: " + r"ignore(?!\[)|# no" + r"qa(?!: [A-Z]+[0-9]+)")

        assert _hits(bare, tree.python()) == []
