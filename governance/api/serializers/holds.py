from typing import Any
from uuid import UUID

from rest_framework import serializers

from core import ids
from core.ids import PublicId
from governance.api.fields import PublicIdField, StrictSerializer, TextField
from governance.domain.law import HoldGround
from vault.models import ShredLock

GROUNDS = [ground.value for ground in HoldGround]
_SCOPES = [scope.value for scope in ShredLock.Scope]
#: What `scope_id` names; a hold on everything of the controller names nothing.
_KINDS = {
    ShredLock.Scope.SUBJECT: PublicId.SUBJECT,
    ShredLock.Scope.CATEGORY: PublicId.CATEGORY,
    ShredLock.Scope.PURPOSE: PublicId.PURPOSE,
}


class HoldCreateSerializer(StrictSerializer):
    """What must not be destroyed, and why the law lets it be kept."""

    scope = serializers.ChoiceField(_SCOPES)
    scope_id = TextField(
        required=False,
        max_length=40,
        help_text="Id of the data subject, category or purpose; left out with `controller`.",
    )
    ground = serializers.ChoiceField(GROUNDS, help_text="Article 17(3), by letter.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """`scope_id` becomes a UUID of the scope's kind. Raises MalformedIdentifier."""
        kind, text = _KINDS.get(ShredLock.Scope(attrs["scope"])), attrs.get("scope_id")
        if (kind is None) != (text is None):
            needed = "Leave this out" if kind is None else "Give the id of what is held"
            raise serializers.ValidationError({"scope_id": f"{needed} with this scope."})
        if kind is not None and text is not None:
            attrs["scope_id"] = ids.parse(kind, text, field="scope_id")
        return attrs


class HoldSerializer(serializers.Serializer[Any]):
    id = PublicIdField(PublicId.LOCK)
    scope = serializers.ChoiceField(_SCOPES)
    scope_id = serializers.CharField(allow_null=True)
    ground = serializers.CharField()
    placed_by = serializers.CharField()
    placed_at = serializers.DateTimeField()
    lifted_by = serializers.CharField(allow_null=True)
    lifted_at = serializers.DateTimeField(allow_null=True)


class HoldsSerializer(serializers.Serializer[Any]):
    items = HoldSerializer(many=True)
    next = serializers.CharField(allow_null=True)


def public_scope_id(lock: ShredLock) -> str | None:
    """What the hold names, as callers know it."""
    kind = _KINDS.get(ShredLock.Scope(lock.scope))
    held: UUID = lock.scope_id
    return None if kind is None else ids.format(kind, held)
