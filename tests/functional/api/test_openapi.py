"""The committed document is the served one, and says what every operation shares.

Regenerate it with
`manage.py spectacular --skip-checks --urlconf config.urls_all --file docs/api/openapi.yaml`.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

COMMITTED = Path(__file__).parents[3] / "docs" / "api" / "openapi.yaml"


@pytest.fixture(scope="module")
def document() -> Any:
    made: Any = SchemaGenerator  # the package carries no types
    generator = made(urlconf="config.urls_all")
    return yaml.safe_load(yaml.safe_dump(_plain(generator.get_schema(public=True))))


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


class TestDocument:
    def test_is_the_committed_one(self, document: Any) -> None:
        assert yaml.safe_load(COMMITTED.read_text()) == document, __doc__

    @pytest.mark.django_db
    def test_is_the_served_one(self, document: Any, settings: Any, tmp_path: Path) -> None:
        settings.STATIC_ROOT = str(tmp_path)
        settings.ROOT_URLCONF = "config.urls"  # as web processes serve it

        served = Client().get("/api/schema").json()

        assert served["paths"].keys() == document["paths"].keys()
        assert served == document

    def test_is_valid_openapi(self, document: Any) -> None:
        validate: Any = validate_schema  # the package carries no types
        validate(document)

        assert document["openapi"].startswith("3.1")

    def test_names_licence_and_a_relative_server(self, document: Any) -> None:
        assert document["info"]["license"]["identifier"] == "Apache-2.0"
        assert document["servers"] == [{"url": "/"}]

    def test_offers_no_kind_of_request_without_a_procedure(self, document: Any) -> None:
        schemas = document["components"]["schemas"]

        assert "KindEnum" in str(schemas["RequestCreateRequest"]["properties"]["kind"])
        assert schemas["KindEnum"]["enum"] == ["erasure"]

    def test_describes_the_problems_of_every_operation(self, document: Any) -> None:
        for path, method, operation in operations(document):
            if path.startswith("/api/"):
                wanted = {"400", "401", "403", "404", "409", "410", "503"}
                assert wanted <= operation["responses"].keys(), (method, path)
                assert operation["security"], (method, path)

    def test_offers_a_key_for_acts_that_must_not_happen_twice(self, document: Any) -> None:
        repeatable = {"/api/v1/subjects/lookup"}
        for path, method, operation in operations(document):
            if method == "post" and not path.endswith(":bulk") and path not in repeatable:
                names = {parameter["name"] for parameter in operation["parameters"]}
                assert "Idempotency-Key" in names, path

    def test_has_no_parameter_that_could_name_a_person(self, document: Any) -> None:
        allowed = {"after", "limit", "split", "case", "Idempotency-Key", "If-Match"}
        for path, _, operation in operations(document):
            for parameter in operation.get("parameters", []):
                is_id = parameter["in"] == "path" and parameter["name"].endswith("_id")
                assert is_id or parameter["name"] in allowed, path


def _plain(value: Any) -> Any:
    """Without the lazy texts and ordered mappings of the generator."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, int | float | bool | None) else str(value)
