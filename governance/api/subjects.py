"""Data subjects: created and found by references that stand in bodies, never in URLs."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import clock, idempotency, ids
from core.api.parsers import NDJSONParser
from core.api.renderers import JSONRenderer
from core.api.views import Acted
from core.errors import Conflict
from core.ids import PublicId
from governance.api import access, bulk, quick
from governance.api.base import View, shown
from governance.api.schema import NDJSON, ndjson
from governance.api.serializers.subjects import (
    ReferenceSerializer,
    SubjectCreateSerializer,
    SubjectLineOutcomeSerializer,
    SubjectOutcomeSerializer,
    SubjectSerializer,
)
from governance.services import intake
from vault.services import gate, subjects
from vault.services.subjects import SubjectDraft, SubjectOutcome

_WRITERS = access.allow("records:write", roles=(access.SOURCE_ADMIN,))


class ReferencesConflict(Conflict):
    """The references belong to different data subjects."""

    code = "references-conflict"
    text = "These references belong to different data subjects."


class Subjects(View):
    access = {"POST": _WRITERS}
    idempotent = ("POST",)

    @extend_schema(
        operation_id="create_subject",
        request=SubjectCreateSerializer,
        responses={
            201: SubjectOutcomeSerializer,
            200: OpenApiResponse(SubjectOutcomeSerializer, "The subject was known already."),
        },
    )
    def post(self, _request: Request) -> Response:
        """Create a data subject; a known reference answers the subject it belongs to.

        A reference of an erased person that its source has not acknowledged answers 410.
        """
        fields = self.body(SubjectCreateSerializer)

        def act(now: Any) -> Acted:
            (outcome,) = intake.create_subjects(
                controller_id=self.controller_id,
                drafts=[self._draft(fields)],
                actor=self.caller.actor,
                now=now,
            )
            return _acted(outcome)

        return self.once(act, again=self._again)

    def _again(self, replay: idempotency.Replay) -> Any:
        subject_id = ids.parse(PublicId.SUBJECT, replay.resource_id)
        intake.complete_subject(
            controller_id=self.controller_id, subject_id=subject_id, now=clock.now()
        )
        return _replayed(replay.resource_id, replay.status)

    def _draft(self, fields: Any) -> SubjectDraft:
        return draft(self, fields)


class SubjectsBulk(View):
    access = {"POST": _WRITERS}
    parser_classes = [NDJSONParser]
    renderer_classes = [JSONRenderer, bulk.NDJSONRenderer]

    @extend_schema(
        operation_id="create_subjects",
        request={NDJSON: SubjectCreateSerializer},
        responses=ndjson(SubjectLineOutcomeSerializer, "One outcome per line, then a summary."),
    )
    def post(self, request: Request) -> Any:
        """Create many data subjects, one per line; sending a line again is harmless."""

        def act(items: list[Any]) -> list[bulk.Outcome]:
            outcomes = intake.create_subjects(
                controller_id=self.controller_id,
                drafts=[draft(self, item) for item in items],
                actor=self.caller.actor,
                now=clock.now(),
            )
            return [_line(outcome) for outcome in outcomes]

        return bulk.answer(
            bulk.lines_of(request), serializer=SubjectCreateSerializer, act=act, quick=quick.subject
        )


class SubjectLookup(View):
    access = {
        "POST": access.allow(
            "records:write",
            "records:read",
            "consent:write",
            "requests:write",
            roles=(*access.CASE_WORKERS, access.SOURCE_ADMIN),
        )
    }

    @extend_schema(
        operation_id="lookup_subject",
        request=ReferenceSerializer,
        responses={200: SubjectSerializer},
    )
    def post(self, _request: Request) -> Response:
        """Find a data subject by one reference, in the body so that no URL ever names a person.

        410 while the subject is being erased, when it was erased, and for a reference of an
        erased subject that its source has not acknowledged yet.
        """
        reference = self.body(ReferenceSerializer)
        subject_id = intake.look_up(controller_id=self.controller_id, reference=reference)
        return Response(shown(SubjectSerializer, {"id": subject_id, "state": "live"}))


class Subject(View):
    access = {
        "GET": access.allow(
            "records:write",
            "records:read",
            "consent:write",
            "requests:write",
            roles=(*access.READERS, access.SOURCE_ADMIN),
        )
    }

    @extend_schema(operation_id="get_subject", responses={200: SubjectSerializer})
    def get(self, _request: Request, **_path: str) -> Response:
        """Whether the data subject lives; 410 from the fence of its erasure on."""
        gate.require_open()
        subject = subjects.require_live(
            controller_id=self.controller_id,
            subject_id=self.path_id(PublicId.SUBJECT, "subject_id"),
        )
        return Response(shown(SubjectSerializer, {"id": subject.id, "state": "live"}))


def draft(view: View, fields: Any) -> SubjectDraft:
    """A subject as the caller names it; the source is the calling client or person."""
    return SubjectDraft(
        references=tuple(dict.fromkeys(fields["references"])),
        source_id=intake.source_of(view.caller.actor),
    )


def _acted(outcome: SubjectOutcome) -> Acted:
    if outcome.outcome == "conflict":
        raise ReferencesConflict(field="references")
    subject_id = intake.required(outcome)
    status = 201 if outcome.outcome == "created" else 200
    resource = bulk.public(PublicId.SUBJECT, subject_id)
    return Acted(status, resource, {"id": resource, "outcome": outcome.outcome})


def _replayed(resource_id: str, status: int) -> dict[str, str]:
    return {"id": resource_id, "outcome": "created" if status == 201 else "existing"}  # noqa: PLR2004


def _line(outcome: SubjectOutcome) -> bulk.Outcome:
    if outcome.outcome == "conflict":
        return bulk.refusal(ReferencesConflict(field="references"))
    if outcome.subject_id is None:
        return {"outcome": outcome.outcome}
    return {"outcome": outcome.outcome, "id": bulk.public(PublicId.SUBJECT, outcome.subject_id)}
