"""What a stranger can check without us: receipts of decisions and leases, and bundles."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import clock, ids
from core.api.renderers import JSONRenderer
from core.ids import PublicId
from governance.api import access
from governance.api.base import View, shown
from governance.api.leases import LeaseView
from governance.api.requests import READERS
from governance.api.serializers.evidence import ReceiptSerializer
from governance.services import bundles, receipts

ZIP = "application/zip"


class ConsentReceipt(View):
    access = {"GET": access.allow("consent:write", "consent:read", roles=access.READERS)}

    @extend_schema(operation_id="get_consent_receipt", responses={200: ReceiptSerializer})
    def get(self, _request: Request, **_path: str) -> Response:
        """The receipt of one decision about a purpose, for the person to keep.

        It holds what opens the log's entry for good, also after an erasure; that it was given out
        is on record. `log` is absent until the log has published the entry.
        """
        file = receipts.of_consent(
            controller_id=self.controller_id,
            consent_id=self.path_id(PublicId.CONSENT, "consent_id"),
            actor=self.caller.actor,
            now=clock.now(),
        )
        return _answer(file)


class RequestReceipt(View):
    access = {"GET": READERS}

    @extend_schema(operation_id="get_decision_receipt", responses={200: ReceiptSerializer})
    def get(self, _request: Request, **_path: str) -> Response:
        """The signed record of the decisions on a request, by pseudonym.

        409 `nothing-decided` until somebody has drafted.
        """
        file = receipts.of_request(
            controller_id=self.controller_id,
            request_id=self.path_id(PublicId.REQUEST, "request_id"),
            now=clock.now(),
        )
        return _answer(file)


class LeaseManifest(LeaseView):
    access = {"GET": access.everyone()}

    @extend_schema(operation_id="get_lease_manifest", responses={200: ReceiptSerializer})
    def get(self, _request: Request, **_path: str) -> Response:
        """The signed manifest of a lease, to its own client only.

        What it was opened for, and once it is closed how much was read.
        """
        return _answer(receipts.of_lease(lease=self.lease(), now=clock.now()))


class ZipRenderer(JSONRenderer):
    """For negotiation, and for problems asked for with a zip's type."""

    media_type = ZIP
    format = "zip"


class RequestBundle(View):
    access = {"GET": READERS}
    renderer_classes = [ZipRenderer, JSONRenderer]

    @extend_schema(operation_id="get_request_bundle", responses={(200, ZIP): OpenApiTypes.BINARY})
    def get(self, _request: Request, **_path: str) -> HttpResponse:
        """The evidence of a request as one zip, with the verifier in it (docs/formats/bundle.md).

        409 `nothing-decided` until somebody has drafted.
        """
        request_id = self.path_id(PublicId.REQUEST, "request_id")
        content = bundles.of_request(
            controller_id=self.controller_id, request_id=request_id, now=clock.now()
        )
        name = ids.format(PublicId.REQUEST, request_id)
        disposition = f'attachment; filename="{name}.zip"'
        headers = {"Content-Disposition": disposition, "Cache-Control": "no-store"}
        return HttpResponse(content, content_type=ZIP, headers=headers)


def _answer(file: Any) -> Response:
    """A receipt is for whom it is given to, and for no cache."""
    return Response(shown(ReceiptSerializer, file), headers={"Cache-Control": "no-store"})
