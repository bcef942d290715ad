"""Categories of personal data: their schemas and key groups."""

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
from governance.api.serializers.registry import (
    CategoriesSerializer,
    CategoryCreateSerializer,
    CategorySerializer,
)
from governance.services import categories

_ROUTE = "categories"


class Categories(View):
    access = {
        "GET": access.everyone(),
        "POST": access.allow("registry:write", roles=(access.OFFICER,)),
    }
    idempotent = ("POST",)
    query = ("after", "limit")

    @extend_schema(
        operation_id="list_categories",
        parameters=[AFTER, PAGE_LIMIT],
        responses={200: CategoriesSerializer},
    )
    def get(self, _request: Request) -> Response:
        """The controller's categories, oldest first."""
        after, limit = self.page(route=_ROUTE)
        rows = categories.listed(controller_id=self.controller_id, after=after, limit=limit)
        return self.paged(
            rows, [shown(CategorySerializer, row) for row in rows], route=_ROUTE, limit=limit
        )

    @extend_schema(
        operation_id="create_category",
        request=CategoryCreateSerializer,
        responses={201: CategorySerializer},
    )
    def post(self, _request: Request) -> Response:
        """Add a category; its code and schema cannot be changed afterwards."""
        fields = self.body(CategoryCreateSerializer)

        def act(now: Any) -> Acted:
            row = categories.create(
                controller_id=self.controller_id, **fields, actor=self.caller.actor, now=now
            )
            return Acted(201, ids.format(PublicId.CATEGORY, row.id), shown(CategorySerializer, row))

        return self.once(act, again=self._again)

    def _again(self, replay: idempotency.Replay) -> Any:
        return _body(self, ids.parse(PublicId.CATEGORY, replay.resource_id))


class Category(View):
    access = {"GET": access.everyone()}

    @extend_schema(operation_id="get_category", responses={200: CategorySerializer})
    def get(self, _request: Request, **_path: str) -> Response:
        """One category with its schema."""
        return Response(_body(self, self.path_id(PublicId.CATEGORY, "category_id")))


def _body(view: View, category_id: Any) -> Any:
    return shown(
        CategorySerializer,
        categories.get(controller_id=view.controller_id, category_id=category_id),
    )
