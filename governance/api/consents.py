"""Decisions of people about purposes, passed on one by one or in bulk."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import clock, idempotency, ids
from core.api.parsers import NDJSONParser
from core.api.renderers import JSONRenderer
from core.api.views import Acted
from core.errors import ServiceError
from core.ids import PublicId
from governance.api import access, bulk, quick
from governance.api.base import View, shown
from governance.api.schema import NDJSON, ndjson
from governance.api.serializers.consents import (
    ConsentCreateSerializer,
    ConsentLineOutcomeSerializer,
    ConsentOutcomeSerializer,
    ConsentsSerializer,
)
from governance.domain.law import Channel, ConsentDecision
from governance.models import ConsentRecord
from governance.services import consent, intake
from governance.services.consent import ConsentDraft, ConsentOutcome

_WRITERS = access.allow("consent:write", roles=(access.ANALYST, access.OFFICER))


class Consents(View):
    access = {"POST": _WRITERS}
    idempotent = ("POST",)

    @extend_schema(
        operation_id="record_consent",
        request=ConsentCreateSerializer,
        responses={201: ConsentOutcomeSerializer},
    )
    def post(self, _request: Request) -> Response:
        """Keep a decision: consent given, refused or withdrawn.

        Given, the purpose can read from now on; withdrawn, it cannot from this answer on.
        """
        fields = self.body(ConsentCreateSerializer)

        def act(now: Any) -> Acted:
            (outcome,) = _record(self, [fields], now)
            if isinstance(outcome, ServiceError):
                raise outcome
            public = ids.format(PublicId.CONSENT, outcome.record.id)
            return Acted(201, f"{public}:{outcome.access}", _body(outcome))

        return self.once(act, again=self._again)

    def _again(self, replay: idempotency.Replay) -> Any:
        public, _, reads = replay.resource_id.partition(":")
        kept = consent.get(
            controller_id=self.controller_id, consent_id=ids.parse(PublicId.CONSENT, public)
        )
        return _body(ConsentOutcome(kept, reads))  # type: ignore[arg-type]  # as stored above


class ConsentsBulk(View):
    access = {"POST": _WRITERS}
    parser_classes = [NDJSONParser]
    renderer_classes = [JSONRenderer, bulk.NDJSONRenderer]

    @extend_schema(
        operation_id="record_consents",
        request={NDJSON: ConsentCreateSerializer},
        responses=ndjson(ConsentLineOutcomeSerializer, "One outcome per line, then a summary."),
    )
    def post(self, request: Request) -> Any:
        """Keep many decisions, one per line. A line sent again is kept again and changes nothing.

        Lines whose keys could not be made yet are kept with access `pending`.
        """

        def act(items: list[Any]) -> list[bulk.Outcome]:
            return [_line(outcome) for outcome in _record(self, items, clock.now())]

        return bulk.answer(
            bulk.lines_of(request), serializer=ConsentCreateSerializer, act=act, quick=quick.consent
        )


class SubjectConsents(View):
    access = {"GET": access.allow("consent:write", "consent:read", roles=access.READERS)}

    @extend_schema(operation_id="list_consents", responses={200: ConsentsSerializer})
    def get(self, _request: Request, **_path: str) -> Response:
        """Every decision of the data subject, oldest first."""
        rows = consent.history(
            controller_id=self.controller_id,
            subject_id=self.path_id(PublicId.SUBJECT, "subject_id"),
        )
        return Response(shown(ConsentsSerializer, {"items": [_shown(row) for row in rows]}))


def _record(view: View, items: list[Any], now: Any) -> list[ConsentOutcome | ServiceError]:
    """Resolve subjects, then keep each decision; refusals stand in their places."""
    named = intake.owners(
        controller_id=view.controller_id, named=[item["subject"] for item in items]
    )
    known = [(index, owner) for index, owner in enumerate(named) if isinstance(owner, UUID)]
    outcomes = consent.record_many(
        controller_id=view.controller_id,
        drafts=[_draft(items[index], owner, now) for index, owner in known],
        actor=view.caller.actor,
        now=now,
    )
    kept = {index: outcome for (index, _), outcome in zip(known, outcomes, strict=True)}
    refused = {i: owner for i, owner in enumerate(named) if isinstance(owner, ServiceError)}
    return [kept[index] if index in kept else refused[index] for index in range(len(items))]


def _draft(item: Any, subject_id: UUID, now: Any) -> ConsentDraft:
    fields = {name: value for name, value in item.items() if name != "subject"}
    return ConsentDraft(
        subject_id=subject_id,
        **fields
        | {
            "decision": ConsentDecision(item["decision"]),
            "channel": Channel(item["channel"]),
            "decided_at": item.get("decided_at", now),
        },
    )


def _shown(row: ConsentRecord) -> dict[str, Any]:
    names = ("id", "purpose_id", "decision", "channel", "decided_at", "recorded_at",
             "text_digest", "language", "is_explicit")  # fmt: skip
    return {name: getattr(row, name) for name in names} | {
        "purpose_version": row.purpose_version.number
    }


def _body(outcome: ConsentOutcome) -> Any:
    return shown(ConsentOutcomeSerializer, _shown(outcome.record) | {"access": outcome.access})


def _line(outcome: ConsentOutcome | ServiceError) -> bulk.Outcome:
    if isinstance(outcome, ServiceError):
        return bulk.refusal(outcome)
    public = ids.format(PublicId.CONSENT, outcome.record.id)
    return {"outcome": "recorded", "id": public, "access": outcome.access}
