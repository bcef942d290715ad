from typing import Any

from rest_framework import serializers

from governance.api.fields import StrictSerializer
from governance.api.serializers.subjects import ReferenceSerializer


class SuppressionAcknowledgementSerializer(StrictSerializer):
    reference = ReferenceSerializer()


class SuppressionAcknowledgedSerializer(serializers.Serializer[Any]):
    deleted = serializers.IntegerField(help_text="References of this source that were let go.")
