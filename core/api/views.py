"""The base of every REST view: deny by default, one service call, preconditions, idempotency."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from rest_framework.response import Response
from rest_framework.views import APIView

from core import clock, failpoints, idempotency
from core.api import context
from core.api.caller import Caller
from core.api.permissions import Nobody
from core.errors import NotAuthenticated, PreconditionFailed, PreconditionRequired

_ETAG = re.compile(r'"([0-9]{1,9})"')


@dataclass(frozen=True, slots=True)
class Acted:
    """What an act that must not happen twice came to.

    `resource_id` is kept for a repeat of the request; `body` is not.
    """

    status: int
    resource_id: str
    body: Any


class ServiceView(APIView):
    """A view whose methods each name who may call them, in `access`.

    `access = {"GET": [scopes("purposes:read")], "POST": [scopes("a") | person_with("dpo")]}`;
    a method that is missing is refused to everybody.
    """

    access: ClassVar[Mapping[str, Sequence[Any]]] = {}

    def get_permissions(self) -> list[Any]:
        method = (self.request.method or "").upper()
        if method not in self.allowed_methods:
            return []  # DRF answers 405 after this
        read_as = "GET" if method == "HEAD" else method
        return [permission() for permission in self.access.get(read_as, (Nobody,))]

    @property
    def caller(self) -> Caller:
        """Who calls. Raises NotAuthenticated for nobody."""
        user: Any = self.request.user
        if not isinstance(user, Caller):
            raise NotAuthenticated
        return user

    @property
    def controller_id(self) -> UUID:
        """The caller's controller. Raises NotAuthenticated for a caller without one."""
        controller_id = self.caller.controller_id
        if controller_id is None:
            raise NotAuthenticated("This needs a caller that belongs to a controller.")
        return controller_id

    @property
    def request_id(self) -> UUID | None:
        """The id of this request, for audit events."""
        return context.request_id()

    def once(
        self,
        act: Callable[[datetime], Acted],
        *,
        again: Callable[[idempotency.Replay], Any],
        status: int = 201,
        body: bytes | None = None,
    ) -> Response:
        """Answer with what `act(now)` came to; under an Idempotency-Key act only once.

        A repeat answers with the first status and the body that `again` reads anew from the
        resource id. `status` is what a service settles with that names none itself. `body` is
        what the key is bound to, by default the JSON body as sent.
        """
        now = clock.now()
        key = self.request.headers.get("Idempotency-Key")
        if key is None:
            acted = act(now)
            return Response(acted.body, status=acted.status)
        caller_id = self.caller.actor.id
        sent = body if body is not None else self._sent()
        mac = idempotency.body_mac(sent, route=f"{self.request.method} {self.request.path}")
        with idempotency.guard(
            caller_id=caller_id, key=key, body_mac=mac, now=now, status=status
        ) as begun:
            if isinstance(begun, idempotency.Replay):
                return Response(again(begun), status=begun.status)
            acted = act(now)
            failpoints.reach("core.once.acted")
            idempotency.finish(begun, status=acted.status, resource_id=acted.resource_id)
        return Response(acted.body, status=acted.status)

    def expected_version(self) -> int:
        """The version in If-Match. Raises PreconditionRequired, PreconditionFailed."""
        header = self.request.headers.get("If-Match")
        if header is None:
            raise PreconditionRequired
        match = _ETAG.fullmatch(header.strip())
        if match is None:
            raise PreconditionFailed
        return int(match.group(1))

    def _sent(self) -> bytes:
        _parsed = self.request.data
        raw: bytes = getattr(self.request, "raw_body", b"")
        return raw


def etag(version: int) -> str:
    """The ETag of a version."""
    return f'"{version}"'
