from typing import Any

from rest_framework import serializers

from core.ids import PublicId
from governance.api.fields import CodeField, PublicIdField, StrictSerializer, TextField
from governance.api.serializers.bulk import LineOutcomeSerializer
from vault.domain.lookup import MAX_VALUE, Reference

MAX_REFERENCES = 20


class ReferenceSerializer(StrictSerializer):
    """By what a source or the person knows them: an e-mail address, a customer number."""

    kind = CodeField(help_text="E.g. `email` or `customer-number`.")
    value = TextField(max_length=MAX_VALUE)

    def to_internal_value(self, data: Any) -> Reference:
        fields = super().to_internal_value(data)
        return Reference(kind=fields["kind"], value=fields["value"])


class NamesSubjectSerializer(StrictSerializer):
    """The subject by id or by reference, exactly one of the two; validates to `subject`."""

    subject_id = PublicIdField(PublicId.SUBJECT, required=False)
    subject = ReferenceSerializer(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("subject" in attrs) == ("subject_id" in attrs):
            raise serializers.ValidationError(
                {"subject": serializers.ErrorDetail("Give one of the two.", code="invalid")}
            )
        subject_id = attrs.pop("subject_id", None)
        return attrs if subject_id is None else attrs | {"subject": subject_id}


class SubjectCreateSerializer(StrictSerializer):
    references = ReferenceSerializer(  # type: ignore[call-arg]  # goes to the list serializer
        many=True, allow_empty=False, max_length=MAX_REFERENCES
    )


class SubjectSerializer(serializers.Serializer[Any]):
    id = PublicIdField(PublicId.SUBJECT)
    state = serializers.ChoiceField(["live"])


class SubjectOutcomeSerializer(serializers.Serializer[Any]):
    id = PublicIdField(PublicId.SUBJECT)
    outcome = serializers.ChoiceField(["created", "existing"])


class SubjectLineOutcomeSerializer(LineOutcomeSerializer):
    """`created`, `existing`, or the code of the problem (`erased`, `references-conflict`, …)."""

    id = PublicIdField(PublicId.SUBJECT, required=False)
