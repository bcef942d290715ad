"""Acts on very many people at once: a whole source erased, a whole purpose withdrawn."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import idempotency, ids
from core.api.views import Acted
from core.ids import PublicId
from governance.api import access
from governance.api.base import View, shown
from governance.api.requests import RequestView, with_etag
from governance.api.schema import AFTER, PAGE_LIMIT
from governance.api.serializers.mass_acts import (
    MassActSerializer,
    MassActsSerializer,
    MassErasureCreateSerializer,
)
from governance.api.serializers.requests import RequestsSerializer
from governance.domain.law import ErasureGround
from governance.domain.mass import MassKind
from governance.models import MassAct as MassActRow
from governance.services import erasure, mass_acts, retirements

_ROUTE, _REQUESTS = "mass-acts", "mass-act-requests"
_READERS = access.allow(roles=(*access.READERS, access.CUSTODIAN))
_FIELDS = ("id", "kind", "state", "expected", "done", "left", "created_at", "started_at",
           "ended_at", "version")  # fmt: skip


class MassActView(View):
    def shown(self, row: MassActRow) -> Any:
        """An act with its decisions and progress."""
        return self.with_counts(row, mass_acts.erasures([row])[row.id])

    def with_counts(self, row: MassActRow, erasures: Mapping[str, int]) -> Any:
        """As `shown`, with the states of its requests at hand."""
        is_erasure = row.kind == MassKind.ERASE_SOURCE
        return shown(
            MassActSerializer,
            {name: getattr(row, name) for name in _FIELDS}
            | {
                "source_id": row.scope_id if is_erasure else None,
                "purpose_id": None if is_erasure else row.scope_id,
                "ground": row.ground or None,
                "erasures": erasures,
                "decisions": mass_acts.decisions(row),
            },
        )

    def mass_act_id(self) -> UUID:
        """The act in the path. Raises MalformedIdentifier."""
        return self.path_id(PublicId.MASS_ACT, "mass_act_id")

    def found(self) -> MassActRow:
        """The act in the path. Raises MassActNotFound."""
        return mass_acts.get(controller_id=self.controller_id, mass_act_id=self.mass_act_id())

    def again(self, replay: idempotency.Replay) -> Any:
        """The act that an earlier request with the same key made or moved, as it stands."""
        mass_act_id = ids.parse(PublicId.MASS_ACT, replay.resource_id)
        row = mass_acts.get(controller_id=self.controller_id, mass_act_id=mass_act_id)
        return self.shown(row)

    def decide(self, decision: Callable[..., MassActRow], *, status: int = 201) -> Response:
        """One act of decision on the version in If-Match."""
        expected, mass_act_id = self.expected_version(), self.mass_act_id()

        def act(now: Any) -> Acted:
            row = decision(
                controller_id=self.controller_id,
                mass_act_id=mass_act_id,
                expected_version=expected,
                actor=self.caller.actor,
                now=now,
            )
            return self.acted(row, status)

        return with_etag(self.once(act, again=self.again, status=status))

    def acted(self, row: MassActRow, status: int) -> Acted:
        """What an act on `row` came to."""
        return Acted(status, ids.format(PublicId.MASS_ACT, row.id), self.shown(row))


class MassActs(MassActView):
    access = {"GET": _READERS, "POST": access.allow(roles=(access.ANALYST, access.OFFICER))}
    idempotent = versioned = ("POST",)
    query = ("after", "limit")

    @extend_schema(
        operation_id="list_mass_acts",
        parameters=[AFTER, PAGE_LIMIT],
        responses={200: MassActsSerializer},
    )
    def get(self, _request: Request) -> Response:
        """The controller's mass acts, oldest first."""
        after, limit = self.page(route=_ROUTE)
        rows = mass_acts.listed(controller_id=self.controller_id, after=after, limit=limit)
        counts = mass_acts.erasures(rows)
        items = [self.with_counts(row, counts[row.id]) for row in rows]
        return self.paged(rows, items, route=_ROUTE, limit=limit)

    @extend_schema(
        operation_id="draft_mass_erasure",
        request=MassErasureCreateSerializer,
        responses={201: MassActSerializer},
    )
    def post(self, _request: Request) -> Response:
        """Draft the erasure of everybody whom a source brought; the draft counts them.

        People whom another source knows too, who have a request of their own under way, or whom a
        hold covers are left and counted by reason.
        """
        fields = self.body(MassErasureCreateSerializer)

        def act(now: Any) -> Acted:
            row = mass_acts.draft(
                controller_id=self.controller_id,
                source_id=fields["source_id"],
                ground=ErasureGround(fields["ground"]),
                actor=self.caller.actor,
                now=now,
            )
            return self.acted(row, 201)

        return with_etag(self.once(act, again=self.again))


class MassAct(MassActView):
    access = {"GET": _READERS}
    versioned = ("GET",)

    @extend_schema(operation_id="get_mass_act", responses={200: MassActSerializer})
    def get(self, _request: Request, **_path: str) -> Response:
        """One mass act and how far it is."""
        return with_etag(Response(self.shown(self.found())))


class MassActApprovals(MassActView):
    access = {"POST": access.allow(roles=(access.OFFICER,))}
    idempotent = conditional = versioned = ("POST",)

    @extend_schema(
        operation_id="approve_mass_erasure", request=None, responses={201: MassActSerializer}
    )
    def post(self, _request: Request, **_path: str) -> Response:
        """Approve the draft; another person than its drafter does so."""
        return self.decide(mass_acts.approve)


class MassActReleases(MassActView):
    access = {"POST": access.allow(roles=(access.CUSTODIAN,))}
    idempotent = conditional = versioned = ("POST",)

    @extend_schema(
        operation_id="release_mass_erasure", request=None, responses={201: MassActSerializer}
    )
    def post(self, _request: Request, **_path: str) -> Response:
        """Let the erasures begin; a third person does so. They cannot be called back.

        Concerns who is there now; people whom the source brings later are not erased. Each
        erasure has a request, progress and certificates of its own.
        """
        return self.decide(mass_acts.release)


class MassActWithdrawal(MassActView):
    access = {"POST": access.allow(roles=(access.ANALYST, access.OFFICER))}
    idempotent = conditional = versioned = ("POST",)

    @extend_schema(
        operation_id="withdraw_mass_erasure", request=None, responses={200: MassActSerializer}
    )
    def post(self, _request: Request, **_path: str) -> Response:
        """Give the draft up; possible until it is released."""
        return self.decide(mass_acts.withdraw, status=200)


class MassActRequests(RequestView):
    access = {"GET": _READERS}
    query = ("after", "limit")

    @extend_schema(
        operation_id="list_requests_of_mass_act",
        parameters=[AFTER, PAGE_LIMIT],
        responses={200: RequestsSerializer},
    )
    def get(self, _request: Request, **_path: str) -> Response:
        """The requests that a mass erasure made, oldest first; each leads to its certificates."""
        mass_act_id = self.path_id(PublicId.MASS_ACT, "mass_act_id")
        row = mass_acts.get(controller_id=self.controller_id, mass_act_id=mass_act_id)
        route = f"{_REQUESTS}:{mass_act_id}"
        after, limit = self.page(route=route)
        rows = mass_acts.requests(mass_act=row, after=after, limit=limit)
        found = erasure.progress_many(row.erasure_id for row in rows)
        items = [self.with_progress(row, found.get(row.erasure_id)) for row in rows]
        return self.paged(rows, items, route=route, limit=limit)


class PurposeRetirements(MassActView):
    access = {"POST": access.allow(roles=(access.OFFICER, access.DPO))}
    idempotent = versioned = ("POST",)

    @extend_schema(operation_id="retire_purpose", request=None, responses={201: MassActSerializer})
    def post(self, _request: Request, **_path: str) -> Response:
        """Retire a purpose for good: with this answer nothing is consented to or read for it.

        What everybody's grants rest on is withdrawn in the background; the mass act says how far
        that is.
        """
        purpose_id = self.path_id(PublicId.PURPOSE, "purpose_id")

        def act(now: Any) -> Acted:
            row = retirements.retire(
                controller_id=self.controller_id,
                purpose_id=purpose_id,
                actor=self.caller.actor,
                now=now,
            )
            return self.acted(row, 201)

        return with_etag(self.once(act, again=self.again))
