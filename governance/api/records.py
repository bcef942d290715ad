"""Records in, one by one or in bulk, and custody reads; pipelines read through leases only."""

from typing import Any

import orjson
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import clock, idempotency, ids
from core.api.parsers import NDJSONParser
from core.api.renderers import JSONRenderer
from core.api.views import Acted, etag
from core.errors import InvalidInput, PreconditionFailed, PreconditionRequired, ServiceError
from core.ids import PublicId
from governance.api import access, bulk, quick
from governance.api.base import View
from governance.api.fields import id_schema
from governance.api.schema import NDJSON, ndjson
from governance.api.serializers.records import (
    RecordLineOutcomeSerializer,
    RecordLineSerializer,
    RecordOutcomeSerializer,
    RecordPutSerializer,
    RecordsSerializer,
)
from governance.services import categories, intake
from governance.services.intake import IncomingRecord, Result
from vault.services import subjects
from vault.services.reading import OpenRecord
from vault.services.sealing import RecordOutcome

CASE = OpenApiParameter(
    "case",
    id_schema(PublicId.REQUEST),
    description="The open request of this data subject that a person works on; people only.",
)
_WRITERS = access.allow("records:write", roles=(access.SOURCE_ADMIN,))
_READERS = access.allow("records:read", roles=access.CASE_WORKERS)


class CaseNeeded(InvalidInput):
    """A person opens records only for a case."""

    code = "case-needed"
    text = "Name the request that you work on in the parameter `case`."


class CustodyView(View):
    query = ("case",)

    def case(self) -> Any:
        """The request a person works on; None for a source, which reads its own records."""
        if not self.caller.is_person:
            return None
        text = self.request.query_params.get("case")
        if text is None:
            raise CaseNeeded(field="case")
        return ids.parse(PublicId.REQUEST, text, field="case")

    def opened(self, records: list[OpenRecord]) -> Response:
        """The answer, as RecordsSerializer describes it; documents go through as they are."""
        items = [
            {
                "id": ids.format(PublicId.RECORD, record.record_id),
                "category": categories.code_of(record.category_id),
                "version": record.version,
                "created_at": record.created_at,
                "document": orjson.Fragment(record.document),
            }
            for record in records
        ]
        return Response({"items": items})


class SubjectRecords(CustodyView):
    access = {"GET": _READERS, "POST": _WRITERS}
    idempotent = ("POST",)
    versioned = ("POST",)

    @extend_schema(
        operation_id="read_records", parameters=[CASE], responses={200: RecordsSerializer}
    )
    def get(self, _request: Request, **_path: str) -> Response:
        """Open the subject's records in custody; the read is audited.

        A source gets the records it sent. A person gets all, for the request named by `case`.
        """
        named: dict[str, Any] = {
            "controller_id": self.controller_id,
            "subject_id": self.path_id(PublicId.SUBJECT, "subject_id"),
            "actor": self.caller.actor,
            "now": clock.now(),
        }
        case = self.case()
        if case is None:
            return self.opened(intake.read_own_records(**named))
        return self.opened(intake.read_case_records(**named, request_id=case))

    @extend_schema(
        operation_id="put_record",
        request=RecordPutSerializer,
        parameters=[
            OpenApiParameter(
                "If-Match",
                {"type": "string", "pattern": '^"[0-9]{1,9}"$'},
                OpenApiParameter.HEADER,
                description='Write only on this version; `"0"`: only when there is none.',
            )
        ],
        responses={
            201: RecordOutcomeSerializer,
            200: OpenApiResponse(RecordOutcomeSerializer, "Updated, or unchanged."),
        },
    )
    def post(self, _request: Request, **_path: str) -> Response:
        """Put one record; it is named by category and the source's reference.

        Identical content changes nothing. Other content becomes a new version.
        """
        fields = self.body(RecordPutSerializer)
        subject_id = self.path_id(PublicId.SUBJECT, "subject_id")
        record = IncomingRecord(
            **fields,
            subject=subject_id,
            expected_version=self._expected(),
        )

        def act(now: Any) -> Acted:
            (result,) = intake.put_records(
                controller_id=self.controller_id,
                records=[record],
                actor=self.caller.actor,
                now=now,
            )
            return _acted(result)

        def again(replay: idempotency.Replay) -> Any:
            subjects.require_live(controller_id=self.controller_id, subject_id=subject_id)
            return _replayed(replay.resource_id)

        response = self.once(act, again=again)
        response.headers["ETag"] = etag(response.data["version"])
        return response

    def _expected(self) -> int | None:
        try:
            return self.expected_version()
        except PreconditionRequired:
            return None


class RecordsBulk(View):
    access = {"POST": _WRITERS}
    parser_classes = [NDJSONParser]
    renderer_classes = [JSONRenderer, bulk.NDJSONRenderer]

    @extend_schema(
        operation_id="put_records",
        request={NDJSON: RecordLineSerializer},
        responses=ndjson(RecordLineOutcomeSerializer, "One outcome per line, then a summary."),
    )
    def post(self, request: Request) -> Any:
        """Put many records, one per line; sending a line again is harmless.

        When the key store stops answering, the lines that were not processed say
        `key-store-unavailable` and the summary names the last processed line.
        """

        def act(items: list[Any]) -> list[bulk.Outcome]:
            results = intake.put_records(
                controller_id=self.controller_id,
                records=[IncomingRecord(**item) for item in items],
                actor=self.caller.actor,
                now=clock.now(),
            )
            return [_line(result) for result in results]

        return bulk.answer(
            bulk.lines_of(request), serializer=RecordLineSerializer, act=act, quick=quick.record
        )


class RecordVersions(CustodyView):
    access = {"GET": _READERS}

    @extend_schema(
        operation_id="read_record_versions",
        parameters=[CASE],
        responses={200: RecordsSerializer},
    )
    def get(self, _request: Request, **_path: str) -> Response:
        """Open all versions of a record, oldest first; the read is audited."""
        return self.opened(
            intake.read_versions(
                controller_id=self.controller_id,
                record_id=self.path_id(PublicId.RECORD, "record_id"),
                request_id=self.case(),
                actor=self.caller.actor,
                now=clock.now(),
            )
        )


def _body(outcome: RecordOutcome) -> dict[str, Any]:
    record_id = outcome.record_id
    return {
        "id": bulk.public(PublicId.RECORD, record_id),
        "version": outcome.version,
        "outcome": outcome.outcome,
    }


def _acted(result: Result) -> Acted:
    if isinstance(result, ServiceError):
        raise result
    if result.outcome == "version-mismatch":
        raise PreconditionFailed
    body = _body(result)
    resource = f"{body['id']}:{body['version']}:{body['outcome']}"
    return Acted(201 if result.outcome == "created" else 200, resource, body)


def _replayed(resource_id: str) -> dict[str, Any]:
    record_id, version, outcome = resource_id.split(":")
    return {"id": record_id, "version": int(version), "outcome": outcome}


def _line(result: Result) -> bulk.Outcome:
    return bulk.refusal(result) if isinstance(result, ServiceError) else _body(result)
