from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.ids import PublicId
from governance.api.fields import CodeField, PublicIdField, StrictSerializer, TextField
from governance.api.serializers.records import DocumentField


class CategoryCreateSerializer(StrictSerializer):
    code = CodeField()
    name = TextField(max_length=200)
    schema = DocumentField(help_text="JSON Schema (draft 2020-12) of a document; of type object.")
    is_special = serializers.BooleanField(
        default=False, help_text="Special category of personal data (GDPR Article 9)."
    )
    key_group = CodeField(
        default="main", help_text="Categories of one group share keys and die together."
    )


class CategorySerializer(serializers.Serializer[Any]):
    id = PublicIdField(PublicId.CATEGORY)
    code = serializers.CharField()
    name = serializers.CharField()
    schema = DocumentField()
    is_special = serializers.BooleanField()
    key_group = serializers.CharField()


class CategoriesSerializer(serializers.Serializer[Any]):
    items = CategorySerializer(many=True)
    next = serializers.CharField(allow_null=True)


@extend_schema_field(
    {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "minLength": 1, "maxLength": 200},
        },
        "example": {"health-insurance": ["age", "visits"]},
    }
)
class FieldsField(serializers.Field[Any, Any, Any, Any]):
    """Category code → top-level fields that may be read; `["*"]` for all of them."""

    default_error_messages = {"invalid": "Map each category's code to a list of field names."}

    def to_internal_value(self, data: Any) -> dict[str, list[str]]:
        if not isinstance(data, dict) or not data:
            self.fail("invalid")
        for names in data.values():
            if not isinstance(names, list) or not names:
                self.fail("invalid")
            if not all(isinstance(name, str) and 0 < len(name) <= 200 for name in names):  # noqa: PLR2004
                self.fail("invalid")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class PurposeCreateSerializer(StrictSerializer):
    code = CodeField()
    name = TextField(max_length=200)


class PurposeSerializer(serializers.Serializer[Any]):
    id = PublicIdField(PublicId.PURPOSE)
    code = serializers.CharField()
    name = serializers.CharField()
