from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.ids import PublicId
from governance.api.fields import PublicIdField, StrictSerializer, TextField
from governance.api.serializers.records import DocumentField
from governance.api.serializers.subjects import NamesSubjectSerializer
from governance.domain.law import CALLER_CHANNELS, Channel, ErasureGround
from governance.domain.requests import RequestState
from governance.services.requests import ERASURE, UnsupportedKind

GROUNDS = [ground.value for ground in ErasureGround]
KINDS = [ERASURE]
CHANNELS = [channel.value for channel in CALLER_CHANNELS]


@extend_schema_field({"type": "string", "enum": ["erasure"]})
class KindField(TextField):
    """A kind of request that has a procedure."""


def _require_supported(kind: str) -> None:
    if kind != ERASURE:
        raise UnsupportedKind(field="kind")


class RequestCreateSerializer(NamesSubjectSerializer):
    """A request as it reached the controller; the subject by id or reference, one of the two."""

    kind = KindField(max_length=40)
    ground = serializers.ChoiceField(GROUNDS, help_text="Article 17(1), by letter.")
    channel = serializers.ChoiceField(CHANNELS)
    received_at = serializers.DateTimeField(
        required=False, help_text="When it reached the controller; now when left out."
    )

    def to_internal_value(self, data: Any) -> Any:
        """Says `unsupported-kind` first: other kinds will have other fields."""
        if isinstance(data, dict) and isinstance(data.get("kind"), str):
            _require_supported(data["kind"])
        return super().to_internal_value(data)


class DraftSerializer(StrictSerializer):
    outcome = serializers.ChoiceField(["erase"])
    ground = serializers.ChoiceField(GROUNDS)


class ErasureProgressSerializer(serializers.Serializer[Any]):
    """How far the erasure of a released request is; times are null until then."""

    state = serializers.CharField()
    fenced_at = serializers.DateTimeField()
    ordered_at = serializers.DateTimeField(allow_null=True)
    keys_destroyed_at = serializers.DateTimeField(allow_null=True)
    swept_at = serializers.DateTimeField(allow_null=True)
    verified_at = serializers.DateTimeField(allow_null=True)
    backup_clear_at = serializers.DateTimeField(allow_null=True)


class DecisionSerializer(serializers.Serializer[Any]):
    act = serializers.ChoiceField(["draft", "approval", "release", "withdrawal"])
    outcome = serializers.CharField()
    actor = serializers.CharField(source="actor_id")
    role = serializers.CharField()
    at = serializers.DateTimeField()


class RequestSerializer(serializers.Serializer[Any]):
    id = PublicIdField(PublicId.REQUEST)
    kind = KindField()
    state = serializers.ChoiceField([state.value for state in RequestState])
    subject_id = PublicIdField(
        PublicId.SUBJECT, allow_null=True, help_text="Null once the erasure is swept."
    )
    erasure_id = PublicIdField(PublicId.ERASURE)
    ground = serializers.ChoiceField(GROUNDS)
    channel = serializers.ChoiceField(
        [*CHANNELS, Channel.CONTROLLER.value],
        help_text="`controller` where a mass erasure made the request: nobody asked.",
    )
    received_at = serializers.DateTimeField()
    due_on = serializers.DateField()
    version = serializers.IntegerField(help_text="The ETag.")
    decisions = DecisionSerializer(many=True)
    erasure = ErasureProgressSerializer(allow_null=True)


class RequestsSerializer(serializers.Serializer[Any]):
    items = RequestSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class CertificateSerializer(serializers.Serializer[Any]):
    id = PublicIdField(PublicId.CERTIFICATE)
    kind = serializers.CharField(
        help_text="`interim`; `final` too, once no backup can hold the keys."
    )
    issued_at = serializers.DateTimeField()
    file = DocumentField(help_text="The certificate to hand out; check it with the verifier.")


class IrrecoverableSerializer(serializers.Serializer[Any]):
    """From when nothing can be recovered, as the inventory of backups tells it now."""

    state = serializers.ChoiceField(
        ["pending", "established", "contradicted"],
        help_text="`contradicted`: a copy turned up that may hold what was certified as gone.",
    )
    at = serializers.DateTimeField(
        allow_null=True, help_text="While pending, when the last copy known is to end."
    )
    reason = serializers.CharField(allow_null=True, help_text="What it waits for, as a code.")


class CertificatesSerializer(serializers.Serializer[Any]):
    items = CertificateSerializer(many=True)
    irrecoverable_from = IrrecoverableSerializer(
        allow_null=True, help_text="Null until the destruction was verified."
    )
