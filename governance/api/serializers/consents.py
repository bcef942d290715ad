from typing import Any

from rest_framework import serializers

from core.ids import PublicId
from governance.api.fields import PublicIdField
from governance.api.serializers.bulk import LineOutcomeSerializer
from governance.api.serializers.subjects import NamesSubjectSerializer
from governance.domain.law import CALLER_CHANNELS, ConsentDecision

DIGEST_PATTERN = r"^[0-9a-f]{64}\Z"
LANGUAGE_PATTERN = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*\Z"
MAX_LANGUAGE = 35
DECISIONS = [decision.value for decision in ConsentDecision]
CHANNELS = [channel.value for channel in CALLER_CHANNELS]


class ConsentCreateSerializer(NamesSubjectSerializer):
    """A decision as the person made it; the subject by id or by reference, one of the two."""

    purpose_id = PublicIdField(PublicId.PURPOSE)
    decision = serializers.ChoiceField(DECISIONS)
    channel = serializers.ChoiceField(CHANNELS)
    decided_at = serializers.DateTimeField(
        required=False, help_text="When the person decided; now when left out."
    )
    text_digest = serializers.RegexField(
        DIGEST_PATTERN,
        required=False,
        help_text="SHA-256 of the UTF-8 text that was shown; needed when consent is given.",
    )
    language = serializers.RegexField(
        LANGUAGE_PATTERN,
        required=False,
        max_length=MAX_LANGUAGE,
        help_text="BCP 47 tag of that text; needed when consent is given.",
    )
    is_explicit = serializers.BooleanField(default=False)


class ConsentSerializer(serializers.Serializer[Any]):
    id = PublicIdField(PublicId.CONSENT)
    purpose_id = PublicIdField(PublicId.PURPOSE)
    purpose_version = serializers.IntegerField()
    decision = serializers.ChoiceField(DECISIONS)
    channel = serializers.ChoiceField(CHANNELS)
    decided_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()
    text_digest = serializers.CharField(allow_blank=True)
    language = serializers.CharField(allow_blank=True)
    is_explicit = serializers.BooleanField()


class ConsentOutcomeSerializer(ConsentSerializer):
    access = serializers.ChoiceField(
        ["granted", "pending", "none"],
        help_text="Whether the purpose can read now; `pending` becomes granted by itself.",
    )


class ConsentsSerializer(serializers.Serializer[Any]):
    items = ConsentSerializer(many=True)


class ConsentLineOutcomeSerializer(LineOutcomeSerializer):
    """`recorded`, or the code of the problem."""

    id = PublicIdField(PublicId.CONSENT, required=False)
    access = serializers.ChoiceField(["granted", "pending", "none"], required=False)
