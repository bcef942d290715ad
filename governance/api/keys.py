"""Public signing keys, all that ever signed, so that old certificates stay checkable."""

import base64
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.models import SigningKey


class KeySerializer(serializers.Serializer[Any]):
    key_id = serializers.CharField(help_text="`<holder>:<version>`, as signatures name it.")
    holder = serializers.CharField(help_text="The process that signs with it.")
    algorithm = serializers.ChoiceField(["ed25519"])
    public = serializers.CharField(help_text="32 raw bytes in base64.")
    first_seen_at = serializers.DateTimeField()


class KeysSerializer(serializers.Serializer[Any]):
    keys = KeySerializer(many=True)


class Keys(APIView):
    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="list_signing_keys",
        tags=["keys"],
        responses={200: KeysSerializer},
        auth=[{}],
    )
    def get(self, _request: Request) -> Response:
        """Every public key of this installation, oldest first; open to everybody."""
        keys = [
            {
                "key_id": key.key_id,
                "holder": key.holder,
                "algorithm": "ed25519",
                "public": base64.b64encode(bytes(key.public)).decode(),
                "first_seen_at": key.first_seen_at,
            }
            for key in SigningKey.objects.order_by("first_seen_at", "key_id")
        ]
        return Response(KeysSerializer({"keys": keys}).data)
