"""Serializer fields and the strict base class that all bodies of the API share."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers

from core import ids
from core.ids import MalformedIdentifier, PublicId

#: What names things to machines: codes, kinds of reference, key groups.
CODE_PATTERN = r"^[a-z0-9][a-z0-9-]{0,39}\Z"
#: The same in the regular expressions of JSON Schema, which have no \Z.
CODE_SCHEMA = r"^[a-z0-9][a-z0-9-]{0,39}$"
_NAME = re.compile(r"[a-z_]{1,40}")
_LETTERS = "0-9a-hjkmnp-tv-z"


def id_schema(kind: PublicId) -> dict[str, Any]:
    """The JSON Schema of a public id."""
    return {"type": "string", "pattern": f"^{kind.value}_[0-7][{_LETTERS}]{{25}}$"}


def _shown(name: Any) -> str:
    """A field's name when it looks like one: what else a caller sent is never repeated."""
    return name if isinstance(name, str) and _NAME.fullmatch(name) else "(unknown)"


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields it does not know, so that a misspelt one is never silently dropped."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = {
                _shown(name): [serializers.ErrorDetail("Unknown field.", code="unknown-field")]
                for name in data
                if name not in self.fields
            }
            if unknown:
                raise serializers.ValidationError(unknown)
        return super().to_internal_value(data)


class TextField(serializers.CharField):
    """Text as it was sent: numbers and booleans are refused, NUL is refused by the base class."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class CodeField(serializers.RegexField):
    """A short machine name."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 40)
        super().__init__(CODE_PATTERN, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class PublicIdField(serializers.Field[UUID, str, str, Any]):
    """A prefixed public id outside, a UUID inside."""

    default_error_messages = {
        "malformed-identifier": "This is not an identifier of the expected kind."
    }

    def __init__(self, kind: PublicId, **kwargs: Any) -> None:
        self.kind = kind
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> UUID:
        try:
            return ids.parse(self.kind, data if isinstance(data, str) else "")
        except MalformedIdentifier:
            self.fail("malformed-identifier")

    def to_representation(self, value: UUID) -> str:
        return ids.format(self.kind, value)


class _PublicIdSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = PublicIdField

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        del auto_schema, direction
        return id_schema(self.target.kind)


class _CodeSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = CodeField

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        del auto_schema, direction
        return {"type": "string", "pattern": CODE_SCHEMA}
