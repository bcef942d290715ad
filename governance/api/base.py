"""The base of governance's REST views: ids in paths, bodies by serializer, versions as ETags."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.response import Response

from core import ids
from core.api import cursors
from core.api.caller import Caller
from core.api.views import ServiceView
from core.errors import InvalidInput, NotPermitted
from core.ids import PublicId
from governance.api.schema import ApiSchema

_PAGE, _LARGEST_PAGE, _DIGITS = 100, 500, 9


class ControllerNeeded(NotPermitted):
    """Staff of the whole installation called a route of one controller."""

    code = "controller-needed"
    text = "This needs a caller that belongs to a controller."


class UnknownParameter(InvalidInput):
    """The query has a parameter that this route does not have."""

    code = "unknown-parameter"
    text = "This route has no such parameter."


class View(ServiceView):
    """`idempotent`, `conditional` and `versioned` name methods, for the OpenAPI document.

    `query` names the query parameters; any other is refused.
    """

    schema = ApiSchema()
    idempotent: ClassVar[Sequence[str]] = ()
    conditional: ClassVar[Sequence[str]] = ()
    versioned: ClassVar[Sequence[str]] = ()
    query: ClassVar[Sequence[str]] = ()

    @property
    def controller_id(self) -> UUID:
        """The caller's controller. Raises ControllerNeeded."""
        controller_id = self.caller.controller_id
        if controller_id is None:
            raise ControllerNeeded
        return controller_id

    @property
    def caller(self) -> Caller:
        caller: Caller = super().caller
        return caller

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        for name in request.query_params:
            if name not in self.query:
                raise UnknownParameter(field="query")

    def path_id(self, kind: PublicId, name: str) -> UUID:
        """The id in the path. Raises MalformedIdentifier."""
        return ids.parse(kind, self.kwargs[name], field=name)

    def body(self, serializer: type[serializers.Serializer[Any]]) -> Any:
        """The validated body. Raises ValidationError naming the fields."""
        checked = serializer(data=self.request.data)
        checked.is_valid(raise_exception=True)
        return checked.validated_data

    def number(self, name: str, *, default: int, largest: int) -> int:
        """A query parameter from 1 to `largest`. Raises InvalidInput naming it."""
        text = self.request.query_params.get(name)
        if text is None:
            return default
        if not (
            text.isascii() and text.isdigit() and len(text) <= _DIGITS and 1 <= int(text) <= largest
        ):
            raise InvalidInput(f"Give a number from 1 to {largest}.", field=name)
        return int(text)

    def page(self, *, route: str) -> tuple[UUID | None, int]:
        """The position after which the page begins, and how many items it has at most."""
        limit = self.number("limit", default=_PAGE, largest=_LARGEST_PAGE)
        after = self.request.query_params.get("after")
        if after is None:
            return None, limit
        position = cursors.decode(after, binding=self._binding(route))
        return UUID(str(position[0])), limit

    def paged(
        self, items: Sequence[Any], shown: Sequence[Any], *, route: str, limit: int
    ) -> Response:
        """The answer of a list page; `items` are rows with an `id`, `shown` their bodies."""
        following = None
        if len(items) == limit:
            following = cursors.encode([str(items[-1].id)], binding=self._binding(route))
        return Response({"items": shown, "next": following})

    def _binding(self, route: str) -> str:
        return f"{route}:{self.controller_id}"


def shown(serializer: type[serializers.Serializer[Any]], value: Any) -> Mapping[str, Any]:
    """`value` as `serializer` writes it."""
    return serializer(value).data
