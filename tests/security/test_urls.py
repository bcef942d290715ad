"""What can stand in a URL, and so in the logs of every proxy on its way: opaque ids and numbers."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.urls import URLPattern, URLResolver, get_resolver

from core.ids import PublicId

_DOCUMENT = Path(__file__).parents[2] / "docs" / "api" / "openapi.yaml"
#: Query parameters of the API: where a page begins and ends, and which case a person works on.
QUERY = {"after", "limit", "split", "case"}
#: Of the log of commitments, which is open to everybody: numbers, and places in its tree.
LOG = {"generation", "tile"}
#: Of status lists, open as well: a random id, and how often the list was published.
STATUS = {"list_id", "version"}
PERSONAL = re.compile(
    r"e?mail|phone|name|birth|address|reference|customer|number|value|search|^q$|filter|text"
)
#: Routes of the sign-in pages, which are Django's and allauth's own and name nobody.
PAGES = re.compile(r"^(accounts/|o/)")


def routes(patterns: Any = None, prefix: str = "") -> Iterator[str]:
    for found in get_resolver("config.urls_all").url_patterns if patterns is None else patterns:
        path = prefix + str(found.pattern)
        if isinstance(found, URLResolver):
            yield from routes(found.url_patterns, path)
        elif isinstance(found, URLPattern):
            yield path


def parameters() -> list[tuple[str, dict[str, Any]]]:
    document = yaml.safe_load(_DOCUMENT.read_text(encoding="utf-8"))
    return [
        (f"{method} {path}", parameter)
        for path, acts in document["paths"].items()
        for method, act in acts.items()
        for parameter in act.get("parameters", [])
    ]


class TestRoutes:
    def test_take_ids_only(self) -> None:
        found = [route for route in routes() if not PAGES.match(route)]
        named = {name for route in found for name in re.findall(r"<(?:\w+:)?(\w+)>", route)}

        assert len(found) > 30
        assert named
        assert named <= {f"{kind.name.lower()}_id" for kind in PublicId} | LOG | STATUS

    def test_have_no_word_for_what_identifies_a_person(self) -> None:
        assert [r for r in routes() if not PAGES.match(r) and PERSONAL.search(r)] == []


class TestOpenApiDocument:
    def test_puts_only_ids_in_paths(self) -> None:
        in_paths = [(act, given) for act, given in parameters() if given["in"] == "path"]

        assert len(in_paths) > 15
        for act, given in in_paths:
            prefix = PublicId[given["name"].removesuffix("_id").upper()].value
            assert given["schema"]["pattern"].startswith(f"^{prefix}_"), act

    def test_has_only_known_query_parameters(self) -> None:
        in_queries = {given["name"] for _, given in parameters() if given["in"] == "query"}

        assert in_queries == QUERY

    def test_sends_references_in_bodies_only(self) -> None:
        named = [(act, given["name"]) for act, given in parameters() if given["in"] != "header"]

        assert [found for found in named if PERSONAL.search(found[1])] == []


class TestPersonalWords:
    @pytest.mark.parametrize("name", ["email", "subject_email", "q", "reference", "name"])
    def test_would_be_found(self, name: str) -> None:
        assert PERSONAL.search(name)
