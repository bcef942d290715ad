from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.ids import PublicId
from governance.api.fields import CodeField, PublicIdField, StrictSerializer, TextField
from governance.api.serializers.records import DocumentField
from governance.domain.law import LawfulBasis, SpecialCondition


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


class VersionCreateSerializer(StrictSerializer):
    lawful_basis = serializers.ChoiceField([basis.value for basis in LawfulBasis])
    special_condition = serializers.ChoiceField(
        [condition.value for condition in SpecialCondition],
        required=False,
        allow_null=True,
        help_text="Condition of Article 9(2), when a special category is read.",
    )
    categories = FieldsField()
    retention_days = serializers.IntegerField(min_value=1, max_value=36_500)
    dpv_iri = TextField(
        required=False, max_length=200, help_text="The purpose in the Data Privacy Vocabulary."
    )
    recipients = serializers.ListField(
        child=TextField(max_length=200), required=False, max_length=100
    )


class VersionSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    lawful_basis = serializers.ChoiceField([basis.value for basis in LawfulBasis])
    special_condition = serializers.CharField(allow_blank=True)
    categories = FieldsField()
    retention_days = serializers.IntegerField()
    dpv_iri = serializers.CharField(allow_blank=True)
    recipients = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    activated_at = serializers.DateTimeField(allow_null=True)


class ActivationSerializer(StrictSerializer):
    version = serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, help_text="The number of the version that was read."
    )


class PurposeSerializer(serializers.Serializer[Any]):
    id = PublicIdField(PublicId.PURPOSE)
    code = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(["draft", "active", "retired"])
    current = VersionSerializer(allow_null=True, help_text="The version in force.")


class PurposesSerializer(serializers.Serializer[Any]):
    items = PurposeSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class RemovalSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="Random; acknowledge up to it.")
    alias = PublicIdField(PublicId.ALIAS)
    reason = serializers.ChoiceField(["withdrawn", "restricted", "erased"])
    on = serializers.DateField(
        help_text="The day (UTC): a time would let two purposes join their aliases."
    )


class RemovalsSerializer(serializers.Serializer[Any]):
    items = RemovalSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class RemovalsAcknowledgementSerializer(StrictSerializer):
    up_to = serializers.UUIDField(help_text="The last removal that was carried out.")
