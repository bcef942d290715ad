"""Public signing keys, all that ever signed, so that old certificates stay checkable."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import signing_keys


class KeySerializer(serializers.Serializer[Any]):
    key_id = serializers.CharField(help_text="`<holder>:<version>`, as signatures name it.")
    holder = serializers.CharField(help_text="The process that signs with it.")
    algorithm = serializers.ChoiceField(["ed25519"])
    public = serializers.RegexField(r"^[0-9a-f]{64}$", help_text="32 raw bytes, in hex.")
    first_seen_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)


class KeysSerializer(serializers.Serializer[Any]):
    type = serializers.CharField()
    keys = KeySerializer(many=True)


class Keys(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="list_signing_keys",
        tags=["keys"],
        responses={200: KeysSerializer},
        auth=[],
    )
    def get(self, _request: Request) -> Response:
        """Every public key of this installation, oldest first; open to everybody."""
        return Response(signing_keys.published())
