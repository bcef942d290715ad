"""Leases on web processes, their records on stream processes."""

from collections.abc import Iterator
from itertools import chain
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import clock, idempotency, ids
from core.api.renderers import JSONRenderer
from core.api.views import Acted
from core.errors import InvalidInput
from core.ids import PublicId
from governance.api import access, bulk
from governance.api.base import View, shown
from governance.api.schema import NDJSON, ndjson
from governance.api.serializers.leases import (
    LeaseOpenSerializer,
    LeaseSerializer,
    StreamLineSerializer,
)
from governance.models import Lease as LeaseRow
from governance.services import categories, leases
from governance.services.lease_arrow import Batches
from governance.services.lease_lines import Lines

ARROW = "application/vnd.apache.arrow.stream"
_LARGEST_LIMIT = 100_000_000
SPLIT = OpenApiParameter(
    "split",
    {"type": "string", "pattern": "^[0-9]{1,3}/[1-9][0-9]{0,2}$", "default": "0/1"},
    description="The i-th of n parts (`i/n`, n up to 256), for reading with many workers.",
)
CURSOR = OpenApiParameter(
    "after",
    {"type": "string", "maxLength": 200},
    description="A `cursor` of this lease and split: its stream goes on after it.",
)
LIMIT = OpenApiParameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": _LARGEST_LIMIT},
    description="At most so many records.",
)


class PurposeLeases(View):
    """The scope names the purpose, so it is checked against the path, not listed."""

    access = {"POST": access.everyone()}
    idempotent = ("POST",)

    @extend_schema(
        operation_id="open_lease", request=LeaseOpenSerializer, responses={201: LeaseSerializer}
    )
    def post(self, _request: Request, **_path: str) -> Response:
        """Open a lease on an active purpose; counts and exclusions by reason are in the answer.

        Needs the scope `purpose:<id>:read`; another purpose answers 403 `scope-missing`. Who has
        no grant is left out and counted, never an error.
        """
        purpose = self.path_id(PublicId.PURPOSE, "purpose_id")
        require_purpose(self, purpose)
        fields = self.body(LeaseOpenSerializer)

        def act(now: Any) -> Acted:
            lease = leases.open_lease(
                controller_id=self.controller_id,
                purpose_id=purpose,
                category_codes=fields.get("categories"),
                run_reference=fields.get("run_reference", ""),
                actor=self.caller.actor,
                now=now,
            )
            return Acted(201, ids.format(PublicId.LEASE, lease.id), body(lease, now))

        return self.once(act, again=self._again)

    def _again(self, replay: idempotency.Replay) -> Any:
        lease = leases.get(
            controller_id=self.controller_id,
            lease_id=ids.parse(PublicId.LEASE, replay.resource_id),
            actor=self.caller.actor,
        )
        return body(lease, clock.now())


class LeaseView(View):
    def lease(self) -> LeaseRow:
        """The lease in the path; 404 for another client's."""
        return leases.get(
            controller_id=self.controller_id,
            lease_id=self.path_id(PublicId.LEASE, "lease_id"),
            actor=self.caller.actor,
        )


class Lease(LeaseView):
    access = {"GET": access.everyone()}

    @extend_schema(operation_id="get_lease", responses={200: LeaseSerializer})
    def get(self, _request: Request, **_path: str) -> Response:
        """A lease with its counts, and what cut its last stream, to its own client only."""
        return Response(body(self.lease(), clock.now()))


class LeaseClose(LeaseView):
    access = {"POST": access.everyone()}
    idempotent = ("POST",)

    @extend_schema(operation_id="close_lease", request=None, responses={200: LeaseSerializer})
    def post(self, _request: Request, **_path: str) -> Response:
        """End the lease; closing it again answers the same."""

        def act(now: Any) -> Acted:
            lease = leases.close(lease=self.lease(), actor=self.caller.actor, now=now)
            return Acted(200, ids.format(PublicId.LEASE, lease.id), body(lease, now))

        return self.once(act, again=lambda _: body(self.lease(), clock.now()), status=200)


class ArrowRenderer(JSONRenderer):
    """For negotiation, and for problems asked for with Arrow's type."""

    media_type = ARROW
    format = "arrow"


class LeaseRecords(LeaseView):
    access = {"GET": access.everyone()}
    query = ("after", "split", "limit")
    http_method_names = ["get"]
    renderer_classes = [bulk.NDJSONRenderer, ArrowRenderer, JSONRenderer]

    @extend_schema(
        operation_id="stream_records",
        parameters=[CURSOR, SPLIT, LIMIT],
        responses={
            **ndjson(
                StreamLineSerializer,
                "Pages of up to 1,000 records, each followed by a trailer "
                '`{"cursor": …, "records": n}`; the last line is `{"end": true, …}`. A stream that '
                "fails is cut without it and without the closing chunk. As Arrow: "
                "docs/formats/arrow-stream.md.",
            ),
            (200, ARROW): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request, **_path: str) -> StreamingHttpResponse:
        """Stream the records that the purpose may read now, in the order of their aliases.

        Each page is read afresh: a subject who withdrew or was erased is in no page that begins
        a quarter of a second later. A page may be shorter than 1,000 records.
        Who is in a page is on record before the page is sent.
        """
        lease = self.lease()
        require_purpose(self, lease.purpose_id)
        is_arrow = request.accepted_renderer.media_type == ARROW
        chunks = leases.stream(
            lease=lease,
            after=request.query_params.get("after"),
            split=_split(request.query_params.get("split", "0/1")),
            limit=self.number("limit", default=_LARGEST_LIMIT, largest=_LARGEST_LIMIT),
            clock=clock.now,
            encoding=Batches if is_arrow else Lines,
        )
        return StreamingHttpResponse(_started(chunks), content_type=ARROW if is_arrow else NDJSON)


def _started(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The stream with its first page read, so that what fails before it is still a problem."""
    return chain([next(chunks)], chunks)


def require_purpose(view: View, purpose_id: UUID) -> None:
    """Raise ScopeMissing unless the token may read this purpose."""
    scope = leases.scope(purpose_id)
    if scope not in view.caller.scopes:
        raise access.ScopeMissing(accepted=scope)


def _split(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    digits = index + count
    if not (digits.isascii() and digits.isdigit() and index and count and len(digits) <= 6):  # noqa: PLR2004
        raise InvalidInput("Write the split as i/n, from 0/n to n-1/n.", field="split")
    if not int(index) < int(count) <= leases.MAX_SPLITS:
        raise InvalidInput(f"n is at most {leases.MAX_SPLITS}, i is below n.", field="split")
    return int(index), int(count)


def body(lease: LeaseRow, now: Any) -> Any:
    """A lease as answers show it."""
    public = ids.format(PublicId.LEASE, lease.id)
    codes = categories.codes(controller_id=lease.controller_id)
    return shown(
        LeaseSerializer,
        {
            "id": lease.id,
            "purpose_id": lease.purpose_id,
            "purpose_version": leases.version_number(lease),
            "state": leases.state(lease, now=now),
            "fields": {codes[UUID(id_)]: names for id_, names in lease.fields.items()},
            "run_reference": lease.run_reference,
            "subjects": lease.counts["subjects"],
            "exclusions": lease.counts["exclusions"],
            "opened_at": lease.opened_at,
            "expires_at": lease.expires_at,
            "closed_at": lease.closed_at,
            "records_sent": lease.records_sent,
            "problem": lease.problem,
            "cursor": lease.cursor,
            "records_url": f"{settings.LETHE_STREAM_URL}/api/v1/leases/{public}/records",
        },
    )
