"""Sources say that they know of an erasure."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.views import Acted
from governance.api import access
from governance.api.base import View
from governance.api.serializers.suppressions import (
    SuppressionAcknowledgedSerializer,
    SuppressionAcknowledgementSerializer,
)
from governance.services import suppressions


class SuppressionAcknowledgements(View):
    access = {"POST": access.allow("records:write")}
    idempotent = ("POST",)

    @extend_schema(
        operation_id="acknowledge_erasure",
        request=SuppressionAcknowledgementSerializer,
        responses={201: SuppressionAcknowledgedSerializer},
    )
    def post(self, _request: Request) -> Response:
        """Say that this source has erased the person whose reference answered 410.

        Its references of that person are let go; sent again, they are a new relation.
        """
        reference = self.body(SuppressionAcknowledgementSerializer)["reference"]

        def act(now: Any) -> Acted:
            deleted = suppressions.acknowledge(
                controller_id=self.controller_id,
                reference=reference,
                actor=self.caller.actor,
                now=now,
            )
            return Acted(201, str(deleted), {"deleted": deleted})

        return self.once(act, again=lambda replay: {"deleted": int(replay.resource_id)})
