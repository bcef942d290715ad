from typing import Any

from rest_framework import serializers

from core.ids import PublicId
from governance.api.fields import CodeField, PublicIdField, StrictSerializer
from governance.api.serializers.requests import ErasureProgressSerializer
from vault.domain.states import RekeyState, ShreddingState
from vault.models import Rekey


class RekeyCreateSerializer(StrictSerializer):
    """Which key group gets another key, and why."""

    group = CodeField(default="main")
    reason = serializers.ChoiceField(["leak"])


class ExpiryCreateSerializer(StrictSerializer):
    """Which key group of the person ends."""

    group = CodeField()


class RekeySerializer(serializers.Serializer[Any]):
    id = PublicIdField(PublicId.REKEY)
    subject_id = PublicIdField(PublicId.SUBJECT)
    group = serializers.CharField()
    reasons = serializers.ListField(child=serializers.ChoiceField(Rekey.Reason.values))
    records = serializers.IntegerField(help_text="Records of which versions were removed.")
    versions = serializers.IntegerField(help_text="Versions removed, with the request's commit.")
    state = serializers.ChoiceField([state.value for state in RekeyState])
    requested_at = serializers.DateTimeField()
    swapped_at = serializers.DateTimeField(
        allow_null=True, help_text="Since when the data is sealed under the new key."
    )
    done_at = serializers.DateTimeField(allow_null=True)
    erasure = ErasureProgressSerializer(
        allow_null=True, help_text="The old key's destruction, once it has begun."
    )


class ExpirySerializer(serializers.Serializer[Any]):
    id = PublicIdField(PublicId.ERASURE)
    subject_id = PublicIdField(
        PublicId.SUBJECT, allow_null=True, help_text="Null once the person was erased, too."
    )
    group = serializers.CharField()
    state = serializers.ChoiceField([state.value for state in ShreddingState])
    erasure = ErasureProgressSerializer()
