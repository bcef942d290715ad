"""Requests of data subjects and the acts of decision on them, each by another person."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import clock, idempotency, ids
from core.api.views import Acted, etag
from core.errors import ServiceError
from core.ids import PublicId
from governance.api import access
from governance.api.base import View, shown
from governance.api.schema import AFTER, PAGE_LIMIT
from governance.api.serializers.requests import (
    CertificatesSerializer,
    DraftSerializer,
    RequestCreateSerializer,
    RequestSerializer,
    RequestsSerializer,
)
from governance.domain.law import Channel, ErasureGround
from governance.models import SubjectRequest
from governance.services import certificates, erasure, final_certificates, intake, requests

_ROUTE = "requests"
READERS = access.allow("requests:write", roles=(*access.READERS, access.CUSTODIAN))
_FORWARDERS = access.allow("requests:write", roles=(access.ANALYST, access.OFFICER))


class RequestView(View):
    def request_id_in_path(self) -> UUID:
        """The request in the path. Raises MalformedIdentifier."""
        return self.path_id(PublicId.REQUEST, "request_id")

    def found(self) -> SubjectRequest:
        """The request in the path. Raises RequestNotFound."""
        return requests.get(controller_id=self.controller_id, request_id=self.request_id_in_path())

    def shown(self, row: SubjectRequest) -> Any:
        """A request with its decisions and the progress of its erasure."""
        return self.with_progress(row, erasure.progress(erasure_id=row.erasure_id))

    def with_progress(self, row: SubjectRequest, progress: Any) -> Any:
        """As `shown`, with the erasure's row at hand."""
        names = ("id", "kind", "state", "subject_id", "erasure_id", "ground", "channel",
                 "received_at", "due_on", "version")  # fmt: skip
        return shown(
            RequestSerializer,
            {name: getattr(row, name) for name in names}
            | {
                "decisions": requests.decisions(row),
                "erasure": progress,
            },
        )

    def again(self, replay: idempotency.Replay) -> Any:
        """The request that an earlier one with the same key made or changed, as it stands."""
        request_id = ids.parse(PublicId.REQUEST, replay.resource_id)
        return self.shown(requests.get(controller_id=self.controller_id, request_id=request_id))

    def decide(
        self, decision: Callable[..., SubjectRequest], *, status: int = 201, **fields: Any
    ) -> Response:
        """One act of decision on the version in If-Match."""
        expected, request_id = self.expected_version(), self.request_id_in_path()

        def act(now: Any) -> Acted:
            row = decision(
                controller_id=self.controller_id,
                request_id=request_id,
                expected_version=expected,
                actor=self.caller.actor,
                now=now,
                **fields,
            )
            return self.acted(row, status)

        return with_etag(self.once(act, again=self.again, status=status))

    def acted(self, row: SubjectRequest, status: int) -> Acted:
        """What an act on `row` came to."""
        return Acted(status, ids.format(PublicId.REQUEST, row.id), self.shown(row))


class Requests(RequestView):
    access = {"GET": READERS, "POST": _FORWARDERS}
    idempotent = ("POST",)
    versioned = ("POST",)
    query = ("after", "limit")

    @extend_schema(
        operation_id="list_requests",
        parameters=[AFTER, PAGE_LIMIT],
        responses={200: RequestsSerializer},
    )
    def get(self, _request: Request) -> Response:
        """The controller's requests, oldest first."""
        after, limit = self.page(route=_ROUTE)
        rows = requests.listed(controller_id=self.controller_id, after=after, limit=limit)
        found = erasure.progress_many(row.erasure_id for row in rows)
        items = [self.with_progress(row, found.get(row.erasure_id)) for row in rows]
        return self.paged(rows, items, route=_ROUTE, limit=limit)

    @extend_schema(
        operation_id="receive_request",
        request=RequestCreateSerializer,
        responses={201: RequestSerializer},
    )
    def post(self, _request: Request) -> Response:
        """Take in a request; its deadline runs from `received_at`.

        A kind without a procedure answers `unsupported-kind`.
        """
        fields = self.body(RequestCreateSerializer)

        def act(now: Any) -> Acted:
            (subject,) = intake.owners(controller_id=self.controller_id, named=[fields["subject"]])
            if isinstance(subject, ServiceError):
                raise subject
            row = requests.open_request(
                controller_id=self.controller_id,
                subject_id=subject,
                kind=fields["kind"],
                ground=ErasureGround(fields["ground"]),
                channel=Channel(fields["channel"]),
                received_at=fields.get("received_at", now),
                actor=self.caller.actor,
                now=now,
            )
            return self.acted(row, 201)

        return with_etag(self.once(act, again=self.again))


class SubjectRequestItem(RequestView):
    access = {"GET": READERS}
    versioned = ("GET",)

    @extend_schema(operation_id="get_request", responses={200: RequestSerializer})
    def get(self, _request: Request, **_path: str) -> Response:
        """One request with its decisions and the progress of its erasure."""
        return with_etag(Response(self.shown(self.found())))


class Decisions(RequestView):
    access = {"POST": access.allow(roles=(access.ANALYST, access.OFFICER))}
    idempotent = conditional = versioned = ("POST",)

    @extend_schema(
        operation_id="draft_decision", request=DraftSerializer, responses={201: RequestSerializer}
    )
    def post(self, _request: Request, **_path: str) -> Response:
        """Draft the decision; a new draft replaces the last until it is approved."""
        fields = self.body(DraftSerializer)
        return self.decide(
            requests.draft, outcome=fields["outcome"], ground=ErasureGround(fields["ground"])
        )


class Approvals(RequestView):
    access = {"POST": access.allow(roles=(access.OFFICER,))}
    idempotent = conditional = versioned = ("POST",)

    @extend_schema(
        operation_id="approve_decision", request=None, responses={201: RequestSerializer}
    )
    def post(self, _request: Request, **_path: str) -> Response:
        """Approve the draft; another person than its drafter does so."""
        return self.decide(requests.approve)


class Releases(RequestView):
    access = {"POST": access.allow(roles=(access.CUSTODIAN,))}
    idempotent = conditional = versioned = ("POST",)

    @extend_schema(operation_id="release_erasure", request=None, responses={201: RequestSerializer})
    def post(self, _request: Request, **_path: str) -> Response:
        """Start the destruction of the keys; a third person does so.

        From this answer on no purpose reads the subject, and reads by its id answer 410.
        """
        return self.decide(requests.release)


class Withdrawal(RequestView):
    access = {"POST": _FORWARDERS}
    idempotent = conditional = versioned = ("POST",)

    @extend_schema(
        operation_id="withdraw_request", request=None, responses={200: RequestSerializer}
    )
    def post(self, _request: Request, **_path: str) -> Response:
        """Take the request back, as the data subject wishes; possible until it is released."""
        return self.decide(requests.withdraw, status=200)


class Certificates(RequestView):
    access = {"GET": READERS}

    @extend_schema(operation_id="list_certificates", responses={200: CertificatesSerializer})
    def get(self, _request: Request, **_path: str) -> Response:
        """The certificates of the request's erasure; none until it was verified.

        `irrecoverable_from` says when the final one comes, or why nobody knows.
        """
        return with_certificates(self, self.found().erasure_id)


def with_certificates(view: View, erasure_id: UUID) -> Response:
    """The certificates of an erasure, and what the final one waits for."""
    rows = certificates.of_erasure(controller_id=view.controller_id, erasure_id=erasure_id)
    fields = ("id", "kind", "issued_at")
    items = [
        {name: getattr(row, name) for name in fields} | {"file": certificates.file(row)}
        for row in rows
    ]
    outlook = final_certificates.outlook(erasure_id=erasure_id, now=clock.now())
    return Response(shown(CertificatesSerializer, {"items": items, "irrecoverable_from": outlook}))


def with_etag(response: Response) -> Response:
    """The answer with the request's version as its ETag."""
    response.headers["ETag"] = etag(response.data["version"])
    return response
