from datetime import UTC, datetime
from uuid import uuid4

import pytest

from core.actors import process_actor
from governance.models import Category
from governance.services import categories

NUMBER = {"type": "integer"}
STRICT = {
    "type": "object",
    "properties": {"age": NUMBER},
    "required": ["age"],
    "additionalProperties": False,
}
OPEN = {
    "type": "object",
    "properties": {
        "visits": {"items": {"properties": {"at": NUMBER}, "additionalProperties": NUMBER}},
        "in/out~": NUMBER,
    },
    "patternProperties": {"^n_": NUMBER},
    "additionalProperties": {"type": ["integer", "object"], "additionalProperties": NUMBER},
}


class TestValidate:
    @pytest.mark.parametrize(
        ("document", "field", "rule"),
        [
            ({}, "document", "required"),
            ({"age": "secret"}, "document/age", "type"),
            ({"age": 1, "x": "secret"}, "document", "additionalProperties"),
        ],
        ids=["missing", "wrong type", "unknown field"],
    )
    def test_names_place_and_rule_and_no_value(
        self, document: dict[str, object], field: str, rule: str
    ) -> None:
        with pytest.raises(categories.InvalidDocument) as caught:
            categories.validate(category=Category(schema=STRICT), document=document)

        assert caught.value.context == {"field": field, "rule": rule}
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("document", "field"),
        [
            ({"Ada Lovelace": "ill"}, "document/*"),
            ({"Ada": {"Bo": "ill"}}, "document/*/*"),
            ({"Ada": {"at": "ill"}}, "document/*/at"),
            ({"n_ada": "ill"}, "document/*"),
            ({"visits": [{"at": 1}, {"Ada Lovelace": "ill"}]}, "document/visits/1/*"),
            ({"visits": [{"at": "ill"}]}, "document/visits/0/at"),
            ({"in/out~": "ill"}, "document/in~1out~0"),
            ({"4711": "ill"}, "document/*"),
            ({"007": {"4711": "ill"}}, "document/*/*"),
            ({"": {"Ada": "ill"}}, "document/*"),
        ],
    )
    def test_names_only_properties_of_the_schema(
        self, document: dict[str, object], field: str
    ) -> None:
        with pytest.raises(categories.InvalidDocument) as caught:
            categories.validate(category=Category(schema=OPEN), document=document)

        assert caught.value.context["field"] == field


class TestCreate:
    @pytest.mark.parametrize(
        "schema",
        [{"type": "string"}, {"type": "object", "$ref": "https://evil.example/x"},
         {"type": "object", "pattern": "((("}, {"type": "objekt"}],
        ids=["no object", "outside reference", "broken pattern", "no schema"],
    )  # fmt: skip
    def test_takes_no_schema_that_cannot_be_used(self, schema: dict[str, object]) -> None:
        with pytest.raises(categories.InvalidSchema):
            categories.create(
                controller_id=uuid4(),
                code="c",
                name="c",
                schema=schema,
                is_special=False,
                key_group="main",
                actor=process_actor("command"),
                now=datetime(2026, 1, 1, tzinfo=UTC),
            )
