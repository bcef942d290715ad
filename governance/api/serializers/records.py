from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.ids import PublicId
from governance.api.fields import CodeField, PublicIdField, StrictSerializer, TextField
from governance.api.serializers.bulk import LineOutcomeSerializer
from governance.api.serializers.subjects import NamesSubjectSerializer

MAX_REFERENCE = 200


@extend_schema_field({"type": "object", "additionalProperties": True})
class DocumentField(serializers.Field[Any, Any, Any, Any]):
    """A JSON object; its own schema is the category's."""

    default_error_messages = {"invalid": "A document is a JSON object."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class RecordPutSerializer(StrictSerializer):
    category = CodeField(help_text="Code of the category.")
    reference = TextField(
        max_length=MAX_REFERENCE,
        help_text="The source's own name of this record within the category.",
    )
    document = DocumentField()


class RecordLineSerializer(RecordPutSerializer, NamesSubjectSerializer):
    """One line: a record, and the subject by id or by reference, exactly one of the two."""


class RecordOutcomeSerializer(serializers.Serializer[Any]):
    id = PublicIdField(PublicId.RECORD)
    version = serializers.IntegerField()
    outcome = serializers.ChoiceField(["created", "updated", "unchanged"])


class RecordSerializer(serializers.Serializer[Any]):
    id = PublicIdField(PublicId.RECORD)
    category = serializers.CharField()
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    document = DocumentField()


class RecordsSerializer(serializers.Serializer[Any]):
    items = RecordSerializer(many=True)


class RecordLineOutcomeSerializer(LineOutcomeSerializer):
    """`created`, `updated`, `unchanged`, or the code of the problem.

    Among these are `unknown-subject`, `erased`, `unknown-category`, `invalid-document` and
    `key-store-unavailable`.
    """

    id = PublicIdField(PublicId.RECORD, required=False)
    version = serializers.IntegerField(required=False)
