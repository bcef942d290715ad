"""Categories of personal data and the check of documents against their schemas."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import jsonschema_rs
import orjson
from django.db import IntegrityError

from core import audit, idempotency, ids
from core.actors import Actor
from core.errors import Conflict, InvalidInput, NotFound
from core.ids import PublicId
from core.unit_of_work import unit_of_work
from governance.models import Category

_MAX_SCHEMA = 64 << 10
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class CategoryNotFound(NotFound):
    """No such category, or another controller's."""

    code = "category-not-found"
    text = "There is no category of yours with this id."


class CategoryExists(Conflict):
    """The code is taken."""

    code = "category-exists"
    text = "A category with this code exists already."


class InvalidSchema(InvalidInput):
    """The schema cannot be used to check documents."""

    code = "invalid-schema"
    text = "Give a JSON Schema (draft 2020-12) of type object that refers to nothing outside."


class InvalidDocument(InvalidInput):
    """The document does not fit its category; context names the place and the rule."""

    code = "invalid-document"
    text = "The document does not fit the schema of its category."


def create(
    *,
    controller_id: UUID,
    code: str,
    name: str,
    schema: Mapping[str, Any],
    is_special: bool,
    key_group: str,
    actor: Actor,
    now: datetime,
) -> Category:
    """Add a category. Raises InvalidSchema, CategoryExists."""
    _require_usable(schema)
    category = Category(
        controller_id=controller_id,
        code=code,
        name=name,
        schema=dict(schema),
        is_special=is_special,
        key_group=key_group,
        created_at=now,
    )
    try:
        with unit_of_work():
            category.save(force_insert=True)
            audit.record(
                action="governance.category.created",
                actor=actor,
                controller_id=controller_id,
                now=now,
                details={"category": str(category.id), "is_special": is_special},
            )
            idempotency.settle(resource_id=ids.format(PublicId.CATEGORY, category.id))
    except IntegrityError as error:
        raise CategoryExists(field="code") from error
    return category


def _require_usable(schema: Mapping[str, Any]) -> None:
    """A schema describes an object and is whole in itself: nothing is fetched to check data."""
    is_object = schema.get("type") == "object" and schema.get("$schema", _DRAFT) == _DRAFT
    if not is_object or len(orjson.dumps(schema)) > _MAX_SCHEMA or _refers_outside(schema):
        raise InvalidSchema(field="schema")
    try:
        jsonschema_rs.meta.validate(dict(schema) | {"$schema": _DRAFT})
        jsonschema_rs.Draft202012Validator(dict(schema))
    except ValueError as error:
        raise InvalidSchema(field="schema") from error


def _refers_outside(node: Any) -> bool:
    if isinstance(node, Mapping):
        refs = (node.get(word) for word in ("$ref", "$dynamicRef"))
        if any(isinstance(ref, str) and not ref.startswith("#") for ref in refs):
            return True
        return any(_refers_outside(value) for value in node.values())
    if isinstance(node, list):
        return any(_refers_outside(value) for value in node)
    return False


def get(*, controller_id: UUID, category_id: UUID) -> Category:
    """The category. Raises CategoryNotFound, also when not yours."""
    category = Category.objects.filter(id=category_id, controller_id=controller_id).first()
    if category is None:
        raise CategoryNotFound
    return category


def listed(*, controller_id: UUID, after: UUID | None, limit: int) -> list[Category]:
    """A page of categories, oldest first."""
    rows = Category.objects.filter(controller_id=controller_id)
    if after is not None:
        rows = rows.filter(id__gt=after)
    return list(rows.order_by("id")[:limit])


def by_code(*, controller_id: UUID, codes: Collection[str]) -> dict[str, Category]:
    """The controller's categories of these codes."""
    rows = Category.objects.filter(controller_id=controller_id, code__in=set(codes))
    return {row.code: row for row in rows}


def codes(*, controller_id: UUID) -> dict[UUID, str]:
    """Id and code of every category of the controller."""
    rows = Category.objects.filter(controller_id=controller_id)
    return dict(rows.values_list("id", "code"))


@lru_cache(maxsize=4096)
def code_of(category_id: UUID) -> str:
    """The category's code, which never changes. Raises CategoryNotFound."""
    code = Category.objects.filter(id=category_id).values_list("code", flat=True).first()
    if code is None:
        raise CategoryNotFound
    return code


def validate(*, category: Category, document: Mapping[str, Any]) -> None:
    """Raise InvalidDocument naming place (JSON pointer) and rule, never anything of the document.

    A name that the schema does not have is written `*`: it may be data (`{"Ada": "ill"}`).
    """
    checker(category)(document)


def checker(category: Category) -> Callable[[Mapping[str, Any]], None]:
    """What `validate` asks for each document of a batch; compiled once per process and schema."""
    schema = orjson.dumps(category.schema)
    validator = _validator(category.id, schema)

    def check(document: Mapping[str, Any]) -> None:
        if validator.is_valid(document):
            return
        error = next(iter(validator.iter_errors(document)))
        place = _place(error.instance_path, document, _declared(category.id, schema))
        raise InvalidDocument(field=f"document{place}"[:200], rule=_rule(error))

    return check


def _place(path: Iterable[str | int], document: Any, declared: Collection[str]) -> str:
    """The path as a JSON pointer (RFC 6901) of declared names and positions.

    The document tells names from positions: the validator gives the name "007" as the number 7.
    """
    shown, node = "", document
    for part in path:
        name = "*"
        if isinstance(node, list) and isinstance(part, int) and part < len(node):
            node, name = node[part], str(part)
        elif isinstance(node, Mapping):
            name = str(part) if str(part) in declared else "*"
            node = node.get(str(part))
        shown += "/" + name.replace("~", "~0").replace("/", "~1")
    return shown


def _rule(error: jsonschema_rs.ValidationError) -> str:
    """The last keyword of the schema's path that failed, e.g. `required`."""
    words = [part for part in error.schema_path if isinstance(part, str)]
    return words[-1] if words else "schema"


@lru_cache(maxsize=512)
def _validator(category_id: UUID, schema: bytes) -> jsonschema_rs.Draft202012Validator:
    """Compiled once per category and schema."""
    del category_id
    return jsonschema_rs.Draft202012Validator(orjson.loads(schema))


@lru_cache(maxsize=512)
def _declared(category_id: UUID, schema: bytes) -> frozenset[str]:
    """Every property that the schema names; read once per category and schema."""
    del category_id
    return frozenset(_names(orjson.loads(schema)))


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        properties = node.get("properties")
        if isinstance(properties, Mapping):
            yield from properties
        for value in node.values():
            yield from _names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _names(value)
