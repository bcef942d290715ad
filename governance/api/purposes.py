"""Purposes, their versions and activation, and what their consumers must drop."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import clock, idempotency, ids
from core.api.views import Acted
from core.ids import PublicId
from governance.api import access
from governance.api.base import View, shown
from governance.api.leases import require_purpose
from governance.api.schema import AFTER, PAGE_LIMIT
from governance.api.serializers.registry import (
    ActivationSerializer,
    PurposeCreateSerializer,
    PurposeSerializer,
    PurposesSerializer,
    RemovalsAcknowledgementSerializer,
    RemovalSerializer,
    RemovalsSerializer,
    VersionCreateSerializer,
    VersionSerializer,
)
from governance.domain.law import LawfulBasis, SpecialCondition
from governance.models import Purpose as PurposeRow
from governance.models import PurposeVersion
from governance.services import categories, purposes, removals
from governance.services.purposes import VersionDraft

_ROUTE = "purposes"
_DRAFTERS = access.allow("registry:write", roles=(access.ANALYST, access.OFFICER))


class PurposeView(View):
    def purpose_id(self) -> UUID:
        """The purpose in the path. Raises MalformedIdentifier."""
        return self.path_id(PublicId.PURPOSE, "purpose_id")

    def shown(self, row: PurposeRow) -> Any:
        """A purpose with its version in force."""
        current = None if row.current is None else self.version(row.current)
        return shown(
            PurposeSerializer,
            {
                "id": row.id,
                "code": row.code,
                "name": row.name,
                "state": row.state,
                "current": current,
            },
        )

    def version(self, row: PurposeVersion) -> Any:
        """A version with its categories by code."""
        codes = categories.codes(controller_id=self.controller_id)
        named = {codes[UUID(id_)]: names for id_, names in row.categories.items()}
        return shown(
            VersionSerializer,
            {
                "number": row.number,
                "lawful_basis": row.lawful_basis,
                "special_condition": row.special_condition,
                "categories": named,
                "retention_days": row.retention_days,
                "dpv_iri": row.dpv_iri,
                "recipients": row.recipients,
                "created_at": row.created_at,
                "activated_at": row.activated_at,
            },
        )

    def numbered(self, replay: idempotency.Replay) -> Any:
        """The version that an earlier request with the same key made or activated."""
        row = purposes.get(controller_id=self.controller_id, purpose_id=self.purpose_id())
        return self.version(row.versions.get(number=int(replay.resource_id)))


class Purposes(PurposeView):
    access = {"GET": access.everyone(), "POST": _DRAFTERS}
    idempotent = ("POST",)
    query = ("after", "limit")

    @extend_schema(
        operation_id="list_purposes",
        parameters=[AFTER, PAGE_LIMIT],
        responses={200: PurposesSerializer},
    )
    def get(self, _request: Request) -> Response:
        """The controller's purposes, oldest first."""
        after, limit = self.page(route=_ROUTE)
        rows = purposes.listed(controller_id=self.controller_id, after=after, limit=limit)
        return self.paged(rows, [self.shown(row) for row in rows], route=_ROUTE, limit=limit)

    @extend_schema(
        operation_id="create_purpose",
        request=PurposeCreateSerializer,
        responses={201: PurposeSerializer},
    )
    def post(self, _request: Request) -> Response:
        """Add a purpose; it reads nothing until a version of it is activated."""
        fields = self.body(PurposeCreateSerializer)

        def act(now: Any) -> Acted:
            row = purposes.create(
                controller_id=self.controller_id, **fields, actor=self.caller.actor, now=now
            )
            return Acted(201, ids.format(PublicId.PURPOSE, row.id), self.shown(row))

        return self.once(act, again=self._again)

    def _again(self, replay: idempotency.Replay) -> Any:
        purpose_id = ids.parse(PublicId.PURPOSE, replay.resource_id)
        return self.shown(purposes.get(controller_id=self.controller_id, purpose_id=purpose_id))


class Purpose(PurposeView):
    access = {"GET": access.everyone()}

    @extend_schema(operation_id="get_purpose", responses={200: PurposeSerializer})
    def get(self, _request: Request, **_path: str) -> Response:
        """One purpose with its version in force."""
        row = purposes.get(controller_id=self.controller_id, purpose_id=self.purpose_id())
        return Response(self.shown(row))


class PurposeVersions(PurposeView):
    access = {"POST": _DRAFTERS}
    idempotent = ("POST",)

    @extend_schema(
        operation_id="draft_purpose_version",
        request=VersionCreateSerializer,
        responses={201: VersionSerializer},
    )
    def post(self, _request: Request, **_path: str) -> Response:
        """Draft the next version: one lawful basis, and the categories and fields it reads."""
        fields = dict(self.body(VersionCreateSerializer))
        condition = fields.pop("special_condition", None)
        draft = VersionDraft(
            lawful_basis=LawfulBasis(fields.pop("lawful_basis")),
            special_condition=None if condition is None else SpecialCondition(condition),
            recipients=tuple(fields.pop("recipients", ())),
            **fields,
        )

        def act(now: Any) -> Acted:
            row = purposes.draft_version(
                controller_id=self.controller_id,
                purpose_id=self.purpose_id(),
                draft=draft,
                actor=self.caller.actor,
                now=now,
            )
            return Acted(201, str(row.number), self.version(row))

        return self.once(act, again=self.numbered)


class PurposeActivations(PurposeView):
    access = {"POST": access.allow(roles=(access.OFFICER,))}
    idempotent = ("POST",)

    @extend_schema(
        operation_id="activate_purpose",
        request=ActivationSerializer,
        responses={201: VersionSerializer},
    )
    def post(self, _request: Request, **_path: str) -> Response:
        """Put the version that was read in force; another person than its drafter does so.

        Answers 409 `version-superseded` when a later one was drafted meanwhile, and 409
        `nothing-to-activate` when this one was activated already or does not exist. Consent given
        to an earlier version does not carry over. For other lawful bases living subjects are
        granted in the background.
        """
        number = self.body(ActivationSerializer)["version"]

        def act(now: Any) -> Acted:
            row = purposes.activate(
                controller_id=self.controller_id,
                purpose_id=self.purpose_id(),
                number=number,
                actor=self.caller.actor,
                now=now,
            )
            return Acted(201, str(row.number), self.version(row))

        return self.once(act, again=self.numbered)


class PurposeRemovals(PurposeView):
    """The scope names the purpose, so it is checked against the path, not listed."""

    access = {"GET": access.everyone()}
    query = ("after", "limit")

    @extend_schema(
        operation_id="list_removals",
        parameters=[AFTER, PAGE_LIMIT],
        responses={200: RemovalsSerializer},
    )
    def get(self, _request: Request, **_path: str) -> Response:
        """Aliases withdrawn, restricted or erased that the caller has not acknowledged yet.

        Needs the scope `purpose:<id>:read`, or a role that reads the registry.
        """
        purpose = self.purpose_id()
        if not self.caller.is_person:
            require_purpose(self, purpose)
        else:
            access.check(self.caller, scopes=(), roles=access.READERS)
        route = f"removals:{purpose}"
        after, limit = self.page(route=route)
        rows = removals.listed(
            controller_id=self.controller_id,
            purpose_id=purpose,
            client_id=self.caller.actor.client_id,
            after=after,
            limit=limit,
            now=clock.now(),
        )
        return self.paged(
            rows, [shown(RemovalSerializer, row) for row in rows], route=route, limit=limit
        )


class RemovalAcknowledgements(PurposeView):
    access = {"POST": access.everyone()}
    idempotent = ("POST",)

    @extend_schema(
        operation_id="acknowledge_removals",
        request=RemovalsAcknowledgementSerializer,
        responses={201: RemovalsAcknowledgementSerializer},
    )
    def post(self, _request: Request, **_path: str) -> Response:
        """Say that every alias up to and with this removal is dropped; they are listed no more.

        Needs the scope `purpose:<id>:read`.
        """
        purpose = self.purpose_id()
        require_purpose(self, purpose)
        up_to = self.body(RemovalsAcknowledgementSerializer)["up_to"]

        def act(now: Any) -> Acted:
            removals.acknowledge(
                controller_id=self.controller_id,
                purpose_id=purpose,
                up_to=up_to,
                actor=self.caller.actor,
                now=now,
            )
            return Acted(201, str(up_to), {"up_to": str(up_to)})

        return self.once(act, again=lambda replay: {"up_to": replay.resource_id})
