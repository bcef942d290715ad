from typing import Any

from rest_framework import serializers

from core.ids import PublicId
from governance.api.fields import PublicIdField, StrictSerializer
from governance.api.serializers.requests import GROUNDS
from governance.domain.mass import MassKind, MassState

KINDS = [kind.value for kind in MassKind]
STATES = [state.value for state in MassState]
_COUNTS = "People, by reason: a hold's ground, or why else they were left as they were."


class MassErasureCreateSerializer(StrictSerializer):
    """Everybody of a source is to be erased, on the controller's own initiative."""

    kind = serializers.ChoiceField([MassKind.ERASE_SOURCE.value])
    source_id = PublicIdField(PublicId.CLIENT)
    ground = serializers.ChoiceField(GROUNDS, help_text="Article 17(1), by letter.")


class MassDecisionSerializer(serializers.Serializer[Any]):
    act = serializers.ChoiceField(["draft", "approval", "release", "withdrawal"])
    actor = serializers.CharField(source="actor_id")
    role = serializers.CharField()
    at = serializers.DateTimeField()


class MassActSerializer(serializers.Serializer[Any]):
    """An act on very many people and how far it is; it counts them and names none."""

    id = PublicIdField(PublicId.MASS_ACT)
    kind = serializers.ChoiceField(KINDS)
    state = serializers.ChoiceField(STATES)
    source_id = PublicIdField(PublicId.CLIENT, allow_null=True)
    purpose_id = PublicIdField(PublicId.PURPOSE, allow_null=True)
    ground = serializers.ChoiceField(GROUNDS, allow_null=True)
    expected = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="What was counted at first; `other-source`: another source knows them too.",
    )
    done = serializers.IntegerField(help_text="People fenced for erasure, or withdrawn, so far.")
    left = serializers.DictField(child=serializers.IntegerField(), help_text=_COUNTS)
    erasures = serializers.DictField(
        child=serializers.IntegerField(), help_text="Requests that the act made, by their state."
    )
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(
        allow_null=True, help_text="When everybody was reached; erasures may still be under way."
    )
    version = serializers.IntegerField(help_text="The ETag.")
    decisions = MassDecisionSerializer(many=True)


class MassActsSerializer(serializers.Serializer[Any]):
    items = MassActSerializer(many=True)
    next = serializers.CharField(allow_null=True)
