"""What a runbook tells somebody to type at night has to exist."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from tests.architecture.tree import ROOT
from vault.domain.gate import WORDS, Reason

RUNBOOKS = ROOT / "docs" / "runbooks"
#: Also what points into them, or names commands beside them.
OTHERS = [ROOT / "deploy" / "README.md", ROOT / "README.md"]
COMMAND = re.compile(r"manage\.py ([a-z_]+)((?:[ \\\n]+(?:--?)?[^\s`|)]+)*)")
LINK = re.compile(r"\]\(([^)#:]+\.md)\)")


def pages() -> list[Path]:
    return sorted(RUNBOOKS.glob("*.md"))


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Every command that a page names in code, with the options given to it."""
    text = page.read_text(encoding="utf-8")
    code = re.findall(r"`([^`]+)`", text) + [
        line.strip() for line in text.splitlines() if line.startswith("    ")
    ]
    for piece in code:
        for name, rest in COMMAND.findall(piece):
            yield name, rest.split()


def options(name: str) -> set[str]:
    """The options and words that `manage.py NAME` knows, those of its subcommands included."""
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    return set(_known(parser))


def _known(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield word
                yield from _known(below)
        elif action.choices is not None:
            yield from map(str, action.choices)


class TestWords:
    @pytest.mark.parametrize("reason", list(Reason))
    def test_name_files_that_exist(self, reason: Reason) -> None:
        for path in re.findall(r"docs/[\w/-]+\.md", WORDS[reason]):
            assert (ROOT / path).is_file(), path

    def test_name_commands_that_exist(self) -> None:
        named = {name for words in WORDS.values() for name, _ in COMMAND.findall(words)}

        assert named <= set(get_commands())


class TestRunbooks:
    def test_have_a_row_for_every_reason_and_no_other(self) -> None:
        table = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
        rows = re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)

        assert sorted(rows) == sorted(reason.value for reason in Reason)

    def test_send_each_reason_to_the_page_that_the_gate_names(self) -> None:
        table = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
        for reason, words in WORDS.items():
            row = re.search(rf"^\| `{reason.value}` \|.*$", table, re.MULTILINE)
            assert row is not None
            for page in re.findall(r"docs/runbooks/([\w-]+\.md)", words):
                assert f"({page})" in row[0], reason

    def test_are_all_in_the_index(self) -> None:
        table = (RUNBOOKS / "README.md").read_text(encoding="utf-8")

        assert {page.name for page in pages()} - {"README.md"} <= set(LINK.findall(table))

    @pytest.mark.parametrize("page", [*pages(), *OTHERS], ids=lambda path: path.name)
    def test_link_to_what_exists(self, page: Path) -> None:
        links = LINK.findall(page.read_text(encoding="utf-8"))

        assert [link for link in links if not (page.parent / link).is_file()] == []

    @pytest.mark.parametrize("page", [*pages(), *OTHERS], ids=lambda path: path.name)
    def test_name_commands_and_options_that_exist(self, page: Path) -> None:
        wrong = []
        for name, words in commands(page):
            if name not in get_commands():
                wrong.append(name)
                continue
            known = options(name)
            given = [word.split("=")[0] for word in words if word.startswith("--")]
            wrong += [f"{name} {option}" for option in given if option not in known]
            if name == "journal" and (not words or words[0] not in known):
                wrong.append(f"{name} {words}")

        assert wrong == []

    def test_name_commands_at_all(self) -> None:
        named = {name for page in pages() for name, _ in commands(page)}

        assert {"replay_journal", "release_destructions", "refound_journal", "journal"} <= named

    @pytest.mark.parametrize(
        "page", [page for page in pages() if page.name not in {"README.md", "alerts.md"}],
        ids=lambda path: path.name,
    )  # fmt: skip
    def test_say_what_somebody_needs_at_night(self, page: Path) -> None:
        titles = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)

        for title in (
            "What you see", "What it means", "What to do", "How you know that it worked",
            "What is lost, and what is not",
        ):  # fmt: skip
            assert title in titles, title
