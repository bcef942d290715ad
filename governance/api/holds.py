"""Legal holds: placed by a compliance officer, lifted by the data protection officer."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import idempotency, ids
from core.api.views import Acted
from core.ids import PublicId
from governance.api import access
from governance.api.base import View, shown
from governance.api.schema import AFTER, PAGE_LIMIT
from governance.api.serializers.holds import (
    HoldCreateSerializer,
    HoldSerializer,
    HoldsSerializer,
    public_scope_id,
)
from governance.services import holds
from vault.models import ShredLock

_ROUTE = "holds"
_FIELDS = ("id", "scope", "ground", "placed_by", "placed_at", "lifted_at")


class HoldView(View):
    def shown(self, lock: ShredLock) -> Any:
        """A hold as answers show it."""
        fields = {name: getattr(lock, name) for name in _FIELDS}
        lifted_by = lock.lifted_by or None
        return shown(
            HoldSerializer,
            fields | {"scope_id": public_scope_id(lock), "lifted_by": lifted_by},
        )

    def again(self, replay: idempotency.Replay) -> Any:
        """The hold that an earlier request with the same key placed or lifted, as it stands."""
        lock_id = ids.parse(PublicId.LOCK, replay.resource_id)
        return self.shown(holds.get(controller_id=self.controller_id, lock_id=lock_id))

    def acted(self, lock: ShredLock) -> Acted:
        """What an act on the hold came to."""
        return Acted(201, ids.format(PublicId.LOCK, lock.id), self.shown(lock))


class Holds(HoldView):
    access = {
        "GET": access.allow(roles=(*access.READERS, access.CUSTODIAN)),
        "POST": access.allow(roles=(access.OFFICER,)),
    }
    idempotent = ("POST",)
    query = ("after", "limit")

    @extend_schema(
        operation_id="list_holds",
        parameters=[AFTER, PAGE_LIMIT],
        responses={200: HoldsSerializer},
    )
    def get(self, _request: Request) -> Response:
        """Holds in force, oldest first."""
        after, limit = self.page(route=_ROUTE)
        rows = holds.in_force(controller_id=self.controller_id, after=after, limit=limit)
        return self.paged(rows, [self.shown(row) for row in rows], route=_ROUTE, limit=limit)

    @extend_schema(
        operation_id="place_hold",
        request=HoldCreateSerializer,
        responses={201: HoldSerializer},
    )
    def post(self, _request: Request) -> Response:
        """Forbid destruction of a data subject's, category's, purpose's or all data.

        A request whose destruction is not ordered yet is blocked. Answers 409 `too-late` for a
        data subject whose destruction is ordered; that refusal is recorded.
        """
        fields = self.body(HoldCreateSerializer)

        def act(now: Any) -> Acted:
            placed = holds.place(
                controller_id=self.controller_id,
                scope=ShredLock.Scope(fields["scope"]),
                scope_id=fields.get("scope_id", self.controller_id),
                ground=fields["ground"],
                actor=self.caller.actor,
                now=now,
            )
            return self.acted(placed.lock)

        return self.once(act, again=self.again)


class Lifts(HoldView):
    access = {"POST": access.allow(roles=(access.DPO,))}
    idempotent = ("POST",)

    @extend_schema(operation_id="lift_hold", request=None, responses={201: HoldSerializer})
    def post(self, _request: Request, **_path: str) -> Response:
        """End a hold, by another person than placed it; blocked requests may be released again.

        Lifting one that is lifted changes nothing.
        """
        lock_id = self.path_id(PublicId.LOCK, "lock_id")

        def act(now: Any) -> Acted:
            return self.acted(
                holds.lift(
                    controller_id=self.controller_id,
                    lock_id=lock_id,
                    actor=self.caller.actor,
                    now=now,
                )
            )

        return self.once(act, again=self.again)
